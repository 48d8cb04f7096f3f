using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;

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

    private MemoryBuffer1D<int, Stride1D.Dense>? there;
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
                if (there is null || here is null || values.Length > there.Length)
                {
                    stream.Synchronize();
                    here?.Dispose();
                    there?.Dispose();
                    int length = Math.Max(SmallestLength, 2 * values.Length);
                    there = accelerator.Allocate1D<int>(length);
                    here = accelerator.AllocatePageLocked1D<int>(length);
                    next = 0;
                }

                if (next + values.Length > there.Length)
                {
                    stream.Synchronize();
                    next = 0;
                }

                ArrayView<int> target = there.View.AsContiguous().SubView(next, values.Length);
                if (!values.IsEmpty)
                {
                    if (accelerator.AcceleratorType == AcceleratorType.OpenCL)
                    {
                        // ILGPU's page-locked memory is nothing OpenCL drivers take: copy at once and wait.
                        target.CopyFromCPU(stream, values);
                        stream.Synchronize();
                    }
                    else
                    {
                        values.CopyTo(here.Span[next..]);
                        target.CopyFrom(stream, here.ArrayView.SubView(next, values.Length));
                    }

                    gpu.CountUpload(sizeof(int) * (long)values.Length);
                }

                next += (values.Length + Alignment - 1) / Alignment * Alignment;
                next = Math.Min(next, (int)there.Length);
                return target;
            }
            catch (AcceleratorException failure)
            {
                throw gpu.Lost($"take {values.Length} row numbers", failure);
            }
        }
    }
}
