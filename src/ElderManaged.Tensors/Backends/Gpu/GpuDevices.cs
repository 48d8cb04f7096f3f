using System.Globalization;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace ElderManaged.Tensors;

/// <summary>Finds the GPUs of this machine, says of each whether it will do and why not, and opens them.</summary>
internal static class GpuDevices
{
    private static readonly Lock Guard = new();
    private static Context? s_context;
    private static (DeviceReport Report, ILGPU.Runtime.Device Device)[]? s_found;

    /// <summary>What was found, usable or not; looked for once.</summary>
    public static IReadOnlyList<DeviceReport> Reports => [.. Found().Select(found => found.Report)];

    /// <summary>Opens the first device of a kind, see <see cref="Device.Open(string, DeviceOptions, Action{string}?)"/>.</summary>
    public static Device Open(string kind, DeviceOptions options, Action<string>? say)
    {
        if (kind == DeviceKinds.Auto)
        {
            try
            {
                _ = Found();
            }
#pragma warning disable CA1031 // Drivers fail in any way they like; whatever it is, the processor can still compute.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                say?.Invoke($"Looking for GPUs failed ({failure.GetType().Name}: {failure.Message}), so the processor computes.");
                return Device.Cpu;
            }

            return Take(Found(), found => Create(found, options, say), say);
        }

        foreach ((DeviceReport Report, ILGPU.Runtime.Device Device) found in Found())
        {
            if (found.Report.Kind == kind && found.Report.Usable)
            {
                return Create(found, options, say);
            }
        }

        string refused = string.Join(" ", Found().Where(found => found.Report.Kind == kind).Select(found => $"{found.Report.Name}: {found.Report.Refusal}"));
        throw new DeviceException(refused.Length > 0
            ? $"No {kind} device can be used. {refused}"
            : $"No {kind} device was found: is its driver installed? 'elder doctor' lists what this machine has; --device {DeviceKinds.Cpu} needs none.");
    }

    /// <summary>Opens what <c>auto</c> takes; the processor, saying why, where there is none or it does not open.</summary>
    public static Device Take(
        IReadOnlyList<(DeviceReport Report, ILGPU.Runtime.Device Device)> found, Func<(DeviceReport Report, ILGPU.Runtime.Device Device), Device> open, Action<string>? say)
    {
        DeviceReport taken = DeviceCatalog.TakenByAuto([DeviceCatalog.Processor(), .. found.Select(one => one.Report)]);
        if (taken.Kind == DeviceKinds.Cpu)
        {
            string refusals = string.Join(" ", found.Select(one => $"{one.Report.Name}: {one.Report.Refusal ?? one.Report.NotForAuto}"));
            say?.Invoke($"No GPU will do ({(found.Count == 0 ? "none was found" : refusals)}), so the processor computes.");
            return Device.Cpu;
        }

        try
        {
            Device device = open(found.First(one => one.Report == taken));
            say?.Invoke($"{taken.Name} ({taken.Kind}) computes.");
            return device;
        }
        catch (DeviceException failure)
        {
            say?.Invoke($"{failure.Message} The processor computes instead.");
            return Device.Cpu;
        }
    }

    /// <summary>A context with all backends; <paramref name="extend"/> adds simulated devices for tests.</summary>
    public static Context CreateContext(Action<Context.Builder>? extend = null) => Context.Create(builder =>
    {
        Prepare(builder).Cuda().OpenCL(_ => true);
        extend?.Invoke(builder);
    });

    /// <summary>A context without devices, which loads no driver: for compiling kernels to text.</summary>
    public static Context CreateContextWithoutDevices() => Context.Create(builder => Prepare(builder));

    /// <summary>Opens an accelerator of ILGPU as a device.</summary>
    public static GpuDevice Create((DeviceReport Report, ILGPU.Runtime.Device Device) found, DeviceOptions options, Action<string>? say)
    {
        try
        {
            Accelerator accelerator = found.Device.CreateAccelerator(s_context ?? throw new InvalidOperationException("Look for devices first."));
            return new GpuDevice(accelerator, Describe(found.Device, options.TensorCores))
            {
                TensorCores = options.TensorCores && HasTensorCores(found.Device),
                Tuner = DeviceTuning.IsOn && found.Report.NotForAuto is null ? TunerFor(found.Report, anew: false, say) : null,
            };
        }
        catch (Exception failure) when (failure is AcceleratorException or CapabilityNotSupportedException or NotSupportedException)
        {
            throw new DeviceException($"{found.Report.Name} cannot be opened: {failure.Message} Update its driver, or say --device {DeviceKinds.Cpu}.", failure);
        }
    }

    /// <summary>Measures for a device and this version of its driver.</summary>
    public static GpuTuner TunerFor(DeviceReport report, bool anew, Action<string>? say) =>
        new($"{report.Name}, {report.Driver}", GpuTuneFile.OfThisMachine(say), TimeProvider.System) { Anew = anew };

    /// <summary>What is known of a device, and whether it will do; <paramref name="tensorCores"/>: whether they were asked for.</summary>
    public static DeviceReport Describe(ILGPU.Runtime.Device device, bool tensorCores = false)
    {
        string? refusal = device.MaxNumThreadsPerGroup < GpuElementwise.GroupSize
            ? $"its groups have at most {device.MaxNumThreadsPerGroup} threads, the kernels need {GpuElementwise.GroupSize}."
            : null;
        return device switch
        {
            CudaDevice cuda => new DeviceReport(
                DeviceKinds.Cuda,
                device.Name,
                refusal is null && cuda.Architecture >= CudaArchitecture.SM_60,
                refusal ?? (cuda.Architecture >= CudaArchitecture.SM_60 ? null : $"its architecture {cuda.Architecture} is older than SM_60."),
                device.MemorySize,
                $"CUDA driver {cuda.DriverVersion}")
            {
                Details =
                [
                    ("architecture", $"{cuda.Architecture}"),
                    ("multiprocessors", Number(device.NumMultiprocessors)),
                    ("shared memory per group", Number(device.MaxSharedMemoryPerGroup)),
                    (DeviceReport.TensorCores, !HasTensorCores(device) ? $"not used: {cuda.Architecture} is older than {TensorCore.Least}"
                        : tensorCores ? "used for products of many rows with frozen weights that are not float32" : "not used unless asked for"),
                ],
            },
            CLDevice cl => DescribeOpenCL(cl, refusal),
            _ => new DeviceReport(DeviceKinds.Cpu, device.Name, refusal is null, refusal, device.MemorySize, "ILGPU's simulator"),
        };
    }

    private static DeviceReport DescribeOpenCL(CLDevice cl, string? refusal)
    {
        refusal ??= cl.Capabilities.GenericAddressSpace
            ? null
            : $"its driver ({cl.PlatformVersion}) has no generic address space, which kernels need; a newer driver (OpenCL 2.0, or 3.0 with that feature) has it.";
        bool processor = (cl.DeviceType & CLDeviceType.CL_DEVICE_TYPE_CPU) != 0;
        return new DeviceReport(DeviceKinds.OpenCL, cl.Name, refusal is null, refusal, cl.MemorySize, $"{cl.PlatformName} {cl.PlatformVersion}")
        {
            NotForAuto = processor ? "it computes on the processor, where the engine's own kernels are faster." : null,
            Details = [("OpenCL C", $"{cl.CVersion}"), ("vendor", cl.VendorName), ("compute units", Number(cl.NumMultiprocessors)), ("shared memory per group", Number(cl.MaxSharedMemoryPerGroup)), (DeviceReport.TensorCores, "not used: OpenCL does not reach them")],
        };
    }

    private static bool HasTensorCores(ILGPU.Runtime.Device device) => device is CudaDevice cuda && cuda.Architecture >= TensorCore.Least;

    // What kernels are compiled with, for a device or as text.
    private static Context.Builder Prepare(Context.Builder builder)
    {
        builder.EnableAlgorithms().Optimize(OptimizationLevel.O2);
        GpuMath.Register(builder);
        TensorCore.Register(builder);
        return builder;
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static (DeviceReport Report, ILGPU.Runtime.Device Device)[] Found()
    {
        lock (Guard)
        {
            if (s_found is null)
            {
                s_context = CreateContext();
                s_found = [.. s_context.Devices.AsEnumerable().Select(device => (Describe(device), device))];
            }

            return s_found;
        }
    }
}
