namespace ElderManaged.Tensors;

/// <summary>
/// Where numbers lie and ops compute: the processor, or a GPU behind CUDA or OpenCL. An op runs where its input was last
/// written, and its result stays there; so to run a model on a device, its weights are moved there and the rest follows.
/// </summary>
/// <remarks>
/// Reading a tensor's numbers on the host copies them back when they lie on a device, writing them there moves the tensor home.
/// Both are right at any time, but cost a transfer: see <see cref="Transfers"/>. Safe to use from several threads.
/// </remarks>
public abstract class Device : IDisposable
{
    private protected Device()
    {
    }

    /// <summary>The processor, with this engine's own kernels.</summary>
    public static Device Cpu { get; } = new CpuDevice();

    /// <summary>What the device is and has.</summary>
    public abstract DeviceReport Report { get; }

    /// <summary>Transfers between host and this device so far, for seeing what a loop costs.</summary>
    public abstract DeviceTransfers Transfers { get; }

    /// <summary>Bytes that this device's pool holds, in use or ready for use; constant in a steady loop.</summary>
    public abstract long AllocatedBytes { get; }

    /// <summary>Opens a device as it is by default.</summary>
    /// <param name="name">One of <see cref="DeviceKinds"/>; <c>auto</c> takes the best usable one and falls back to the processor.</param>
    /// <param name="say">Is told, in one sentence, what <c>auto</c> took and why, or that it fell back.</param>
    /// <exception cref="DeviceException">There is no such device, or it cannot be used; the message says why and what to do.</exception>
    public static Device Open(string name, Action<string>? say = null) => Open(name, new DeviceOptions(), say);

    /// <summary>Opens a device.</summary>
    /// <param name="name">One of <see cref="DeviceKinds"/>; <c>auto</c> takes the best usable one and falls back to the processor.</param>
    /// <param name="options">How it shall compute. A device that cannot do what is asked for computes without it; its report says so.</param>
    /// <param name="say">Is told, in one sentence, what <c>auto</c> took and why, or that it fell back.</param>
    /// <exception cref="DeviceException">There is no such device, or it cannot be used; the message says why and what to do.</exception>
    public static Device Open(string name, DeviceOptions options, Action<string>? say = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(options);
        if (name == DeviceKinds.Cpu)
        {
            return Cpu;
        }

        if (name is not (DeviceKinds.Auto or DeviceKinds.Cuda or DeviceKinds.OpenCL))
        {
            throw new DeviceException($"There is no device '{name}': say {DeviceKinds.Auto}, {DeviceKinds.Cpu}, {DeviceKinds.Cuda} or {DeviceKinds.OpenCL}.");
        }

        if (GpuFeature.IsSupported)
        {
            return GpuDevices.Open(name, options, say);
        }

        if (name == DeviceKinds.Auto)
        {
            return Cpu;
        }

        throw new DeviceException($"This program computes on the processor only. {GpuFeature.Reason} Say --device {DeviceKinds.Cpu}.");
    }

    /// <summary>Waits until everything asked of the device is done.</summary>
    /// <exception cref="DeviceException">The device was lost.</exception>
    public abstract void Synchronize();

    /// <summary>Frees the device with all its memory; tensors whose numbers lie only there are lost. Does nothing on the processor.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>See <see cref="Dispose()"/>.</summary>
    /// <param name="disposing">Always true.</param>
    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>Memory for floats on this device.</summary>
    internal abstract DeviceMemory Allocate(int length);

    /// <summary>The name for people.</summary>
    public override string ToString() => $"{Report.Kind}: {Report.Name}";

    private sealed class CpuDevice : Device
    {
        public override DeviceReport Report => DeviceCatalog.Processor();

        public override DeviceTransfers Transfers => default;

        public override long AllocatedBytes => 0;

        public override void Synchronize()
        {
        }

        internal override DeviceMemory Allocate(int length) => throw new InvalidOperationException("The processor computes in the host's memory.");
    }
}

/// <summary>How a device shall compute, see <see cref="Device.Open(string, DeviceOptions, Action{string}?)"/>.</summary>
public sealed record DeviceOptions
{
    /// <summary>
    /// Whether products of 16 rows or more with frozen weights, float32 apart, take the tensor cores of an NVIDIA GPU, from SM_80 on.
    /// It rounds activations and gradients to 16 bits as they enter a product, bfloat16 where the weights are, otherwise float16, and
    /// so are the weights of block formats (Q8_0 and the like); sums stay float32. Off by default, since answers then differ from
    /// other devices' beyond rounding of float32, and a row alone may have other bits than among many.
    /// </summary>
    public bool TensorCores { get; init; }
}

/// <summary>What went between host and device: numbers of copies and their bytes.</summary>
/// <param name="Uploads">Copies to the device.</param>
/// <param name="UploadedBytes">Their bytes.</param>
/// <param name="Downloads">Copies back.</param>
/// <param name="DownloadedBytes">Their bytes.</param>
public readonly record struct DeviceTransfers(long Uploads, long UploadedBytes, long Downloads, long DownloadedBytes);
