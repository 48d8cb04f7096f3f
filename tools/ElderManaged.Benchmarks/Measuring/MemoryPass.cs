using System.Runtime.Intrinsics;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Measuring;

/// <summary>
/// The least that an operation on memory can do: read some arrays from end to end and write one, on all threads, computing next to
/// nothing. What it takes is what "the time of reading and writing the data" means in the tables.
/// </summary>
/// <param name="reads">Arrays to read, at most four, at least as long as what is written.</param>
/// <param name="write">An array to write, which may be one of those read; null to read only.</param>
internal sealed unsafe class MemoryPass(Tensor[] reads, Tensor? write)
{
    /// <summary>
    /// Bytes that the last cache, which may be hundreds of megabytes, does not hold from one pass to the next: below it two threads were
    /// found to read 128 MiB at 53 GB/s again and again, and 256 MiB and more at 32.
    /// </summary>
    public const long BeyondCaches = 384L << 20;

    // Four pages of memory side by side: the processor looks ahead within a page only, so four at once are nearly twice as fast.
    private const int Page = 1024, Block = 4 * Page; // floats
    private readonly Tensor sums = new(new Shape(Environment.ProcessorCount * 64, 16));

    /// <summary>The bytes that one run moves; a line of memory that is written costs its writing only.</summary>
    public long Bytes => sizeof(float) * (reads.Sum(r => (long)r.Length) + (write?.Length ?? 0));

    /// <summary>How many copies of so many bytes it takes.</summary>
    public static int CopiesBeyondCaches(long bytes) => (int)((BeyondCaches + bytes - 1) / bytes);

    public void Run()
    {
        int length = reads.Length > 0 ? reads[0].Length : write!.Length;
        int blocks = (length + Block - 1) / Block;
        int parts = Math.Min(blocks, CpuThreads.Count == 1 ? 1 : CpuThreads.Count * 4);
        CpuThreads.Run(parts, (pass: this, blocks, parts, length), static (s, part) =>
        {
            int first = (int)((long)s.blocks * part / s.parts) * Block, end = Math.Min(s.length, (int)((long)s.blocks * (part + 1) / s.parts) * Block);
            s.pass.RunPart(part, first, end);
        });
    }

    private void RunPart(int part, int first, int end)
    {
        Vector512<float> total = default;
        for (int start = first; start < end; start += Block)
        {
            int n = Math.Min(Block, end - start);
            foreach (Tensor read in reads)
            {
                fixed (float* p = read.Span.Slice(start, n))
                {
                    total += Sum(p, n);
                }
            }

            write?.Span.Slice(start, n).Fill(1f);
        }

        total.StoreUnsafe(ref sums.Span[(part % sums.Rows) * 16]); // so that the reading is not for nothing
    }

    private static Vector512<float> Sum(float* p, int n)
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        int i = 0;
        if (n == Block)
        {
            for (; i < Page; i += 16)
            {
                a += Vector512.Load(p + i);
                b += Vector512.Load(p + Page + i);
                c += Vector512.Load(p + (2 * Page) + i);
                d += Vector512.Load(p + (3 * Page) + i);
            }

            return a + b + (c + d);
        }

        for (; i <= n - 16; i += 16)
        {
            a += Vector512.Load(p + i);
        }

        return a;
    }
}
