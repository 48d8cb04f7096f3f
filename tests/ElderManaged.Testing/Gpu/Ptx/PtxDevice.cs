using System.Collections.Concurrent;
using System.Reflection;
using ElderManaged.Tensors;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;

namespace ElderManaged.Testing.Ptx;

/// <summary>
/// A device that runs the PTX of the kernels, the very text that an NVIDIA driver is given, one instruction after another. So whatever
/// an op does on it, forward and backward, is done by the program that is shipped; only a GPU's speed and its own rounding (of
/// approximations, and inside of tensor cores) are not there to be seen.
/// </summary>
internal sealed class PtxDevice : GpuDevice
{
    private static readonly ConcurrentDictionary<(MethodInfo Kernel, CudaArchitecture Architecture), Lazy<PtxProgram>> Programs = [];
    private readonly CudaArchitecture _architecture;

    public PtxDevice(CudaArchitecture architecture)
        : base(Memory(), new DeviceReport(DeviceKinds.Cuda, $"PTX interpreter, {architecture}", Usable: true, Refusal: null, 1L << 32, ""))
    {
        _architecture = architecture;
    }

    /// <summary>The names of all kernels that ran on such a device in this process.</summary>
    public static IEnumerable<MethodInfo> Ran => Programs.Keys.Select(key => key.Kernel);

    protected internal override Action<AcceleratorStream, KernelConfig, TArguments> Load<TArguments>(Action<TArguments> body)
    {
        // Compiled once for all devices.
        Lazy<PtxProgram> program = Programs.GetOrAdd((body.Method, _architecture), static key => new Lazy<PtxProgram>(() => PtxProgram.Parse(PtxText.Of(key.Kernel, key.Architecture))));
        string name = GpuKernels.NameOf(body.Method);
        PtxProgram parsed = program.Value;
        return (_, config, arguments) => new PtxLaunch(name, parsed, config.GridDim, config.GroupDim, arguments).Run();
    }

    // Only for its memory, which is this process's.
    private static Accelerator Memory()
    {
        Context context = Context.Create(builder => builder.CPU(new CPUDevice(numThreadsPerWarp: 4, numWarpsPerMultiprocessor: 1, numMultiprocessors: 1)));
        return context.GetCPUDevice(0).CreateAccelerator(context);
    }
}
