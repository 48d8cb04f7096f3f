using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>
/// Brings weights to a GPU beside its other work: on streams of their own, which wait for no kernel and for which none waits.
/// </summary>
/// <remarks>
/// <code>
///   file ── read and packed ──→ host ─┬─ piece → page-locked memory ── stream ──┬─→ device
///                                     └─ piece → page-locked memory ── stream ──┘
///   matrix 1   read    ▒▒▒ up ▒▒▒
///   matrix 2           read        ▒▒▒ up ▒▒▒
///   block 1                                    computes (waits for its own weights only)
/// </code>
/// While one piece is on its way, the next is laid down; while a matrix is on its way, the next is read from its file, or the
/// first blocks compute. A driver of OpenCL takes pieces from where they lie, and kernels are asked for between two of them.
/// </remarks>
internal sealed class GpuUploads(GpuDevice gpu)
{
    private const int PieceBytes = 1 << 22;
    private readonly Lock order = new(), bringing = new();
    private readonly AcceleratorStream?[] streams = new AcceleratorStream?[2];
    private readonly PageLockedArray1D<byte>?[] locked = new PageLockedArray1D<byte>?[2];
    private Task last = Task.CompletedTask;
    private volatile bool stopped;

    /// <summary>Does something after all that was begun before, on a thread of its own. Failures are left to whoever needs what it should bring, and tries again.</summary>
    public void Begin(Action bring)
    {
        lock (order)
        {
            last = last.ContinueWith(
                _ =>
                {
                    try
                    {
                        if (!stopped)
                        {
                            bring();
                        }
                    }
                    catch (Exception failure) when (failure is DeviceException or ObjectDisposedException)
                    {
                        stopped = true;
                    }
                },
                CancellationToken.None,
                TaskContinuationOptions.None,
                TaskScheduler.Default);
        }
    }

    /// <summary>Begins nothing more, and waits for what is on its way.</summary>
    public void Stop()
    {
        stopped = true;
        lock (order)
        {
            last.Wait();
        }
    }

    /// <summary>Memory on the device with the numbers of <paramref name="numbers"/>; returns when they are there.</summary>
    public unsafe GpuMemory Bring(AlignedBuffer numbers)
    {
        long bytes = sizeof(float) * numbers.Length;
        GpuMemory memory = gpu.AllocateNew(bytes);
        lock (bringing)
        {
            try
            {
                for (long start = 0, piece = 0; start < bytes; start += PieceBytes, piece++)
                {
                    Send(new ReadOnlySpan<byte>((byte*)numbers.Pointer + start, (int)Math.Min(PieceBytes, bytes - start)), memory, start, (int)(piece & 1));
                }

                streams[0]?.Synchronize();
                streams[1]?.Synchronize();
            }
            catch (AcceleratorException failure)
            {
                throw gpu.Lost($"take {bytes:N0} bytes of weights", failure);
            }
        }

        GC.KeepAlive(numbers);
        return memory;
    }

    // The gate is held while something is asked of the driver, not while bytes are copied or waited for.
    private void Send(ReadOnlySpan<byte> source, GpuMemory memory, long start, int lane)
    {
        AcceleratorStream stream;
        PageLockedArray1D<byte> here;
        ArrayView<byte> there = memory.Bytes.SubView(start, source.Length);
        lock (gpu.Gate)
        {
            Accelerator accelerator = gpu.Bound();
            stream = streams[lane] ??= accelerator.CreateStream();
            gpu.CountUpload(source.Length);
            if (accelerator.AcceleratorType == AcceleratorType.OpenCL)
            {
                there.CopyFromCPU(stream, source);
                stream.Synchronize();
                return;
            }

            here = locked[lane] ??= accelerator.AllocatePageLocked1D<byte>(PieceBytes);
        }

        stream.Synchronize(); // the piece that was laid down there has arrived
        source.CopyTo(here.Span);
        lock (gpu.Gate)
        {
            gpu.Bound();
            there.CopyFrom(stream, here.ArrayView.SubView(0, source.Length));
        }
    }
}
