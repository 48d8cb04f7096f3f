namespace ElderManaged.Tensors;

/// <summary>Floats in the memory of a <see cref="Tensors.Device"/> other than the processor.</summary>
internal abstract class DeviceMemory(Device device)
{
    public Device Device { get; } = device;

    /// <summary>Host to device. Returns when the source may change again.</summary>
    public abstract void Upload(ReadOnlySpan<float> source);

    /// <summary>Device to host, after everything that was asked of the device before. Returns when the numbers are there.</summary>
    public abstract void Download(Span<float> target);

    /// <summary>Gives the memory back for other use on the same device.</summary>
    public abstract void Free();
}
