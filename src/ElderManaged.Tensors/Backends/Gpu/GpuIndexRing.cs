using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>
/// Brings small arrays of whole numbers to a GPU without waiting: they are laid down in page-locked memory, copied from there
/// while other work runs, and found at the same place of a ring on the device. One ring for each thread.
/// </summary>
/// <remarks>
/// Copies and kernels are done in the order they are asked for, so a place on the device may be written again as soon as
/// that is asked for after its readers; the place on the host only when the copy is done, hence one wait for each round.
/// </remarks>
internal sealed unsafe class GpuIndexRing(GpuDevice gpu)
{
    private const int Alignment = 32; // in whole numbers: 128 bytes
    private const int SmallestLength = 1 << 16;

    private GpuMemory? there;
    private PageLockedArray1D<int>? here;
    private int next;

    public ArrayView<int> Upload(ReadOnlySpan<int> values)
    {
        lock (gpu.Gate)
        {
            try
            {
                Accelerator accelerator = gpu.Bound();
                AcceleratorStream stream = accelerator.DefaultStream;
                if (there is null || here is null || values.Length > here.Length)
                {
                    stream.Synchronize();
                    here?.Dispose();
                    there?.Discard();
                    int length = Math.Max(SmallestLength, 2 * values.Length);
                    there = gpu.AllocateNew(sizeof(int) * (long)length);
                    here = accelerator.AllocatePageLocked1D<int>(length);
                    next = 0;
                }

                if (next + values.Length > here.Length)
                {
                    stream.Synchronize();
                    next = 0;
                }

                ArrayView<int> target = there.Bytes.Cast<int>().SubView(next, values.Length);
                if (!values.IsEmpty)
                {
                    if (accelerator.AcceleratorType == AcceleratorType.OpenCL)
                    {
                        // ILGPU's page-locked memory is nothing OpenCL drivers take: copy at once and wait.
                        gpu.Staging.Upload(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values), there, sizeof(int) * (long)next);
                    }
                    else
                    {
                        values.CopyTo(here.Span[next..]);
                        target.CopyFrom(stream, here.ArrayView.SubView(next, values.Length));
                        gpu.CountUpload(sizeof(int) * (long)values.Length);
                    }
                }

                next += (values.Length + Alignment - 1) / Alignment * Alignment;
                next = Math.Min(next, (int)here.Length);
                return target;
            }
            catch (AcceleratorException failure)
            {
                throw gpu.Lost($"take {values.Length} row numbers", failure);
            }
        }
    }
}
