using System.Runtime.InteropServices;
using ElderManaged.Tensors;
using ElderManaged.Testing.Ptx;
using ILGPU;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using Device = ElderManaged.Tensors.Device;

namespace ElderManaged.Testing;

/// <summary>
/// Devices on which kernels really run where there is no GPU: a real OpenCL driver that compiles for the processor (PoCL), and
/// ILGPU's simulator, which runs the methods themselves, one thread of the machine for each of the kernel's.
/// </summary>
/// <remarks>
/// PoCL before version 6 says that it has no generic address space, so the product refuses it. All generic pointers of our
/// kernels point to global memory; with the qualifier defined away they compile, hence two aids here that only tests use.
/// </remarks>
public static class TestDevices
{
    private const string PoclFlags = "POCL_EXTRA_BUILD_FLAGS";
    private static readonly Lazy<Context> Everything = new(CreateContext);
    private static readonly Lazy<Device?> FirstOpenCL = new(OpenOpenCL);
    private static readonly Lazy<Device> Simulated = new(OpenSimulator);
    private static readonly Lazy<Device> Interpreted = new(() => new PtxDevice(CudaArchitecture.SM_80));
    private static readonly Lazy<Device> InterpretedWithTensorCores = new(() => new PtxDevice(CudaArchitecture.SM_80) { TensorCores = true });

    /// <summary>The OpenCL device, or null where no driver is installed.</summary>
    public static Device? OpenCL => FirstOpenCL.Value;

    /// <summary>Another one on the same driver, for tests that count its memory.</summary>
    public static Device NewOpenCL() => OpenOpenCL() ?? throw new InvalidOperationException("There is no OpenCL driver.");

    /// <summary>Lets a device fail from now on, as drivers report one that is gone.</summary>
    public static void Lose(Device device) => ((GpuDevice)device).Failure = new CLException(CLError.CL_DEVICE_NOT_AVAILABLE);

    /// <summary>ILGPU's simulator: slow, for tiny shapes; shows errors of indexing that a driver hides.</summary>
    public static Device Simulator => Simulated.Value;

    /// <summary>Runs the kernels' PTX, see <see cref="PtxDevice"/>: for small shapes.</summary>
    public static Device Ptx => Interpreted.Value;

    /// <summary>The same with tensor cores.</summary>
    public static Device PtxWithTensorCores => InterpretedWithTensorCores.Value;

    /// <summary>The context of both, for compiling kernels to text.</summary>
    public static Context Context => Everything.Value;

    private static Context CreateContext()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = SetEnvironment(PoclFlags, "-D__generic=__global", 0);
        }

        // 256 threads in a group, as every kernel may ask for.
        return GpuDevices.CreateContext(builder => builder.CPU(new CPUDevice(numThreadsPerWarp: 32, numWarpsPerMultiprocessor: 8, numMultiprocessors: 1)));
    }

    private static GpuDevice? OpenOpenCL()
    {
        foreach (CLDevice device in Context.GetCLDevices())
        {
            if (!device.Capabilities.GenericAddressSpace)
            {
                typeof(CLCapabilityContext).GetProperty(nameof(CLCapabilityContext.GenericAddressSpace))!.SetValue(device.Capabilities, true);
            }

            return new GpuDevice(device.CreateAccelerator(Context), GpuDevices.Describe(device));
        }

        return null;
    }

    private static GpuDevice OpenSimulator()
    {
        CPUDevice device = Context.GetCPUDevice(0);
        return new GpuDevice(device.CreateAccelerator(Context), GpuDevices.Describe(device));
    }

    // The runtime's own environment does not reach native code on Linux.
    [DllImport("libc", EntryPoint = "setenv")]
    private static extern int SetEnvironment([MarshalAs(UnmanagedType.LPUTF8Str)] string name, [MarshalAs(UnmanagedType.LPUTF8Str)] string value, int overwrite);
}
