using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;

namespace ElderManaged.Tensors;

/// <summary>
/// Copies between host and GPU that wait until they are done. Few bytes, such as a loss, go by way of memory for which ILGPU's wrappers
/// are kept: it would make one for each copy from memory of the caller's. Hold <see cref="GpuDevice.Gate"/>.
/// </summary>
/// <remarks>A wrapper for each length, and not a part of one: ILGPU 1.5 copies all of a wrapped memory to OpenCL, whatever part it was asked for.</remarks>
internal sealed unsafe class GpuStaging(GpuDevice gpu) : IDisposable
{
    private const int Bytes = 1 << 16;
    private readonly AlignedBuffer here = new(Bytes / sizeof(float));
    private readonly Dictionary<int, CPUMemoryBuffer> wrapped = [];

    /// <summary>Host to device, to some place in its memory.</summary>
    public void Upload(ReadOnlySpan<byte> source, GpuMemory memory, long start)
    {
        if (source.IsEmpty)
        {
            return;
        }

        AcceleratorStream stream = gpu.Bound().DefaultStream;
        ArrayView<byte> target = memory.Bytes.SubView(start, source.Length);
        if (source.Length > Bytes)
        {
            target.CopyFromCPU(stream, source);
        }
        else
        {
            source.CopyTo(new Span<byte>(here.Pointer, Bytes));
            target.CopyFrom(stream, First(source.Length));
        }

        stream.Synchronize();
        gpu.CountUpload(source.Length);
    }

    /// <summary>Device to host, from some place in its memory.</summary>
    public void Download(GpuMemory memory, long start, Span<byte> target)
    {
        if (target.IsEmpty)
        {
            return;
        }

        AcceleratorStream stream = gpu.Bound().DefaultStream;
        ArrayView<byte> source = memory.Bytes.SubView(start, target.Length);
        if (target.Length > Bytes)
        {
            source.CopyToCPU(stream, target);
            stream.Synchronize();
        }
        else
        {
            First(target.Length).CopyFrom(stream, source);
            stream.Synchronize();
            new Span<byte>(here.Pointer, target.Length).CopyTo(target);
        }

        gpu.CountDownload(target.Length);
    }

    public void Dispose()
    {
        foreach (CPUMemoryBuffer buffer in wrapped.Values)
        {
            buffer.Dispose();
        }

        here.Dispose();
    }

    private ArrayView<byte> First(int length)
    {
        if (!wrapped.TryGetValue(length, out CPUMemoryBuffer? buffer))
        {
            wrapped[length] = buffer = CPUMemoryBuffer.Create(gpu.Accelerator, (nint)here.Pointer, length, sizeof(byte));
        }

        return new ArrayView<byte>(buffer, 0, length);
    }
}
