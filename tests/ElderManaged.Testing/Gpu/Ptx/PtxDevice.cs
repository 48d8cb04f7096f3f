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
    private readonly CudaArchitecture _architecture;
    private readonly Func<string, string, string>? _change;

    /// <param name="architecture">What kernels are compiled for.</param>
    /// <param name="change">Makes something else of a kernel's name and text: to see that a fault is found.</param>
    public PtxDevice(CudaArchitecture architecture, Func<string, string, string>? change = null)
        : base(Memory(), new DeviceReport(DeviceKinds.Cuda, $"PTX interpreter, {architecture}", Usable: true, Refusal: null, 1L << 32, ""))
    {
        (_architecture, _change) = (architecture, change);
    }

    protected internal override Action<AcceleratorStream, KernelConfig, TArguments> Load<TArguments>(Action<TArguments> body)
    {
        string name = GpuKernels.NameOf(body.Method), text = PtxText.Of(body.Method, _architecture);
        PtxProgram program = PtxProgram.Parse(_change?.Invoke(name, text) ?? text);
        return (_, config, arguments) => new PtxLaunch(name, program, config.GridDim, config.GroupDim, arguments).Run();
    }

    // Only for its memory, which is this process's.
    private static Accelerator Memory()
    {
        Context context = Context.Create(builder => builder.CPU(new CPUDevice(numThreadsPerWarp: 4, numWarpsPerMultiprocessor: 1, numMultiprocessors: 1)));
        return context.GetCPUDevice(0).CreateAccelerator(context);
    }
}
