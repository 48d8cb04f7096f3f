using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>Products of one to four rows, as many as there are in generation: k is split among groups. See <see cref="GemmGpu"/>.</summary>
/// <remarks>
/// A group's 64 × 64 of B are on their way at once, up to four loads of 128 bits for a thread, so memory is kept busy by few
/// threads. The second kernel takes an element a thread, not four: it reads a sixty-fourth of B, and more threads hide its waits.
/// </remarks>
internal static class GemmFewRows
{
    /// <summary>Up to this many rows.</summary>
    public const int Most = 4;

    private const int Threads = 256;
    private const int Columns = 64;

    /// <summary>From one k to the next in shared memory.</summary>
    private const int Stride = Columns + 4;

    private static readonly GpuKernel<GemmArguments> AddChainsKernel = new(AddChains);

    /// <summary>C = A·B.</summary>
    public static void Multiply<TOperand>(GpuDevice gpu, GemmArguments a)
        where TOperand : struct, IGemmOperand
    {
        int blocks = (a.K + GemmGpu.Block - 1) / GemmGpu.Block;
        lock (gpu.Gate)
        {
            // Nobody else asks for this memory between the two kernels.
            a.Chains = gpu.Scratch(sizeof(float) * (long)blocks * a.M * a.N);
            GemmGpu.Kernels<TOperand>.Chains.Launch(gpu, new Index3D((a.N + Columns - 1) / Columns, blocks, 1), new Index3D(Threads, 1, 1), a);
            AddChainsKernel.Launch(gpu, new Index3D((a.N + Threads - 1) / Threads, a.M, 1), new Index3D(Threads, 1, 1), a);
        }
    }

    internal static void Chains<TOperand>(GemmArguments a)
        where TOperand : struct, IGemmOperand
    {
        ArrayView<float> left = SharedMemory.Allocate1D<float>(Most * GemmGpu.Block);
        ArrayView<Float4> right = SharedMemory.Allocate<Float4>(GemmGpu.Block * Stride / 4).AsAligned(Float4.Bytes);
        int thread = Group.IdxX;
        int column = Grid.IdxX * Columns;
        int depth = Grid.IdxY * GemmGpu.Block;
        int row = thread / Columns;
        int lane = thread % Columns;
        GemmPackets packets = GemmSlice<TOperand>.Fetch(a, 0, depth, column, Columns, GemmGpu.Block, Threads, thread);
        left[thread] = row < a.M && depth + lane < a.K ? a.A[(row * a.RowA) + ((depth + lane) * a.DepthA)] : 0;
        GemmSlice<TOperand>.Put(a, packets, right, 0, depth, column, Columns, GemmGpu.Block, Threads, thread);
        Group.Barrier();
        if (row < a.M && column + lane < a.N)
        {
            ArrayView<float> numbers = right.Cast<float>();
            float sum = 0;
            for (int p = 0; p < GemmGpu.Block; p++)
            {
                sum = GpuMath.Fma(left[(row * GemmGpu.Block) + p], numbers[(p * Stride) + lane], sum);
            }

            a.Chains[(((Grid.IdxY * a.M) + row) * a.N) + column + lane] = sum;
        }
    }

    internal static void AddChains(GemmArguments a)
    {
        int column = (Grid.IdxX * Threads) + Group.IdxX;
        int row = Grid.IdxY;
        if (column < a.N)
        {
            float total = 0;
            int from = (row * a.N) + column;
            for (int depth = 0; depth < a.K; depth += GemmGpu.Block)
            {
                total += a.Chains[from];
                from += a.M * a.N;
            }

            GemmGpu.Store(a, 0, row, column, total);
        }
    }
}
