namespace ElderManaged.Tensors;

/// <summary>What a GPU reaches at most, measured on itself: what speeds of ops are compared with.</summary>
/// <param name="OperationsPerSecond">Additions and multiplications in float32, fused, from registers.</param>
/// <param name="BytesPerSecond">Bytes read and written, both counted, while it copies its own memory.</param>
public sealed record DevicePeaks(double OperationsPerSecond, double BytesPerSecond)
{
    /// <summary>Measures a device; takes about a second.</summary>
    /// <param name="device">A GPU, or what an OpenCL driver takes for one.</param>
    /// <exception cref="ArgumentException">It is the processor.</exception>
    public static DevicePeaks Measure(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return GpuFeature.IsSupported && device is GpuDevice gpu
            ? new DevicePeaks(GpuPeak.OperationsPerSecond(gpu), GpuPeak.BytesPerSecond(gpu))
            : throw new ArgumentException($"DevicePeaks: {device} is not a GPU.", nameof(device));
    }
}
