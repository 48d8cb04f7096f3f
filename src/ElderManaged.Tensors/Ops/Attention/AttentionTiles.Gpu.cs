using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Algorithms;

namespace ElderManaged.Tensors;

/// <summary>What one group of threads computes: a block of rows of one sequence in one head.</summary>
/// <remarks>
/// In <see cref="AttentionArguments.Tasks"/> stand five numbers for each: where the sequence starts, its rows, its past, the block's
/// first row in it, and where in the same array the numbers of the pages of its past begin.
/// </remarks>
internal readonly struct AttentionTask
{
    public const int Size = 5;

    public readonly int Start, Length, Past, First, Pages;

    public AttentionTask(ArrayView<int> tasks, int task)
    {
        Start = tasks[Size * task];
        Length = tasks[(Size * task) + 1];
        Past = tasks[(Size * task) + 2];
        First = tasks[(Size * task) + 3];
        Pages = tasks[(Size * task) + 4];
    }

    /// <summary>Where a row's numbers begin in queries, results and their gradients; rows beyond the sequence's have no numbers.</summary>
    public long Row(int row, int heads, int head, int width) => ((((long)Start + row) * heads) + head) * width;

    /// <summary>Where the key and value of a position begin: in the pages of the past, or among the rows.</summary>
    public long Position(int position, AttentionArguments a, int head)
    {
        long row = position < Past
            ? ((long)a.Tasks[Pages + (position / KeyValuePages.Positions)] * KeyValuePages.Positions) + (position % KeyValuePages.Positions)
            : (long)Start + position - Past;
        return ((row * a.KvHeads) + head) * a.Width;
    }
}

/// <summary>Products of four rows with four others, in 16 registers of a thread.</summary>
internal struct ProductTile
{
    /// <summary>With the first other to the fourth: each holds those of the four rows.</summary>
    public Float4 First, Second, Third, Fourth;

    /// <summary>
    /// Adds 16 columns: at each four rows and four others are read, eight numbers in two accesses for sixteen multiply-adds.
    /// </summary>
    /// <param name="rows">[16 columns, 64 rows and a margin].</param>
    /// <param name="others">The same of the others.</param>
    /// <param name="r">Which four rows.</param>
    /// <param name="o">Which four others.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddColumns(ArrayView<Float4> rows, ArrayView<Float4> others, int r, int o)
    {
        for (int c = 0; c < AttentionGpuKernels.Depth * AttentionGpuKernels.Fours; c += AttentionGpuKernels.Fours)
        {
            Float4 row = rows[c + r];
            Float4 other = others[c + o];
            First = Float4.Fma(other.X, row, First);
            Second = Float4.Fma(other.Y, row, Second);
            Third = Float4.Fma(other.Z, row, Third);
            Fourth = Float4.Fma(other.W, row, Fourth);
        }
    }

    /// <summary>Leaves the products for the group, turned: [64 others, 64 rows and a margin].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Publish(ArrayView<Float4> products, int r, int o)
    {
        int at = (4 * o * AttentionGpuKernels.Fours) + r;
        products[at] = First;
        products[at + AttentionGpuKernels.Fours] = Second;
        products[at + (2 * AttentionGpuKernels.Fours)] = Third;
        products[at + (3 * AttentionGpuKernels.Fours)] = Fourth;
    }
}

/// <summary>Weighted sums of numbers of other rows, for four rows and twice four columns that lie 64 apart, in 32 registers of a thread.</summary>
internal struct SumTile
{
    public Float4 Near0, Near1, Near2, Near3, Far0, Far1, Far2, Far3;

    /// <summary>Adds one other's numbers to the sums of rows <paramref name="from"/> up to but without <paramref name="to"/>.</summary>
    /// <param name="weights">For each of the four rows.</param>
    /// <param name="numbers">[others, 128 columns].</param>
    /// <param name="at">Four columns of the other, in fours.</param>
    /// <param name="from">The first of the rows that see it.</param>
    /// <param name="to">Behind the last of them.</param>
    /// <param name="far">Whether there are columns from the 64th on.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(Float4 weights, ArrayView<Float4> numbers, int at, int from, int to, bool far)
    {
        Float4 near = numbers[at];
        Near0 = from <= 0 && to > 0 ? Float4.Fma(weights.X, near, Near0) : Near0;
        Near1 = from <= 1 && to > 1 ? Float4.Fma(weights.Y, near, Near1) : Near1;
        Near2 = from <= 2 && to > 2 ? Float4.Fma(weights.Z, near, Near2) : Near2;
        Near3 = from <= 3 && to > 3 ? Float4.Fma(weights.W, near, Near3) : Near3;
        if (far)
        {
            Float4 other = numbers[at + (AttentionGpuKernels.Part / 8)];
            Far0 = from <= 0 && to > 0 ? Float4.Fma(weights.X, other, Far0) : Far0;
            Far1 = from <= 1 && to > 1 ? Float4.Fma(weights.Y, other, Far1) : Far1;
            Far2 = from <= 2 && to > 2 ? Float4.Fma(weights.Z, other, Far2) : Far2;
            Far3 = from <= 3 && to > 3 ? Float4.Fma(weights.W, other, Far3) : Far3;
        }
    }

    /// <summary>Multiplies each row's sums by a factor of its own.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Scale(Float4 factors)
    {
        Near0 *= factors.X;
        Near1 *= factors.Y;
        Near2 *= factors.Z;
        Near3 *= factors.W;
        Far0 *= factors.X;
        Far1 *= factors.Y;
        Far2 *= factors.Z;
        Far3 *= factors.W;
    }

    /// <summary>Writes the sums, or adds them to what is there.</summary>
    /// <param name="to">Where to.</param>
    /// <param name="at">The thread's first column of its first row.</param>
    /// <param name="step">From one row to the next.</param>
    /// <param name="rows">How many of the four rows there are.</param>
    /// <param name="left">The row's columns from the thread's first on.</param>
    /// <param name="aligned">See <see cref="Float4.LoadRow"/>.</param>
    /// <param name="add">Not 0 to add.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Write(ArrayView<float> to, long at, long step, int rows, int left, int aligned, int add)
    {
        WriteRow(to, at, rows > 0 ? left : 0, aligned, add, Near0, Far0);
        WriteRow(to, at + step, rows > 1 ? left : 0, aligned, add, Near1, Far1);
        WriteRow(to, at + (2 * step), rows > 2 ? left : 0, aligned, add, Near2, Far2);
        WriteRow(to, at + (3 * step), rows > 3 ? left : 0, aligned, add, Near3, Far3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteRow(ArrayView<float> to, long at, int left, int aligned, int add, Float4 near, Float4 far)
    {
        const int Apart = AttentionGpuKernels.Part / 2;
        Float4.StoreRow(to, at, left, aligned, add == 0 ? near : near + Float4.LoadRow(to, at, left, aligned));
        Float4.StoreRow(to, at + Apart, left - Apart, aligned, add == 0 ? far : far + Float4.LoadRow(to, at + Apart, left - Apart, aligned));
    }
}

/// <content>Bringing rows to shared memory.</content>
internal static partial class AttentionGpuKernels
{
    /// <summary>Brings 16 columns of 64 rows to shared memory, turned; each thread four of one row.</summary>
    /// <param name="from">Where the rows lie.</param>
    /// <param name="row">Where the thread's row begins.</param>
    /// <param name="left">The row's columns from the thread's first on: none or less where it has no numbers.</param>
    /// <param name="column">The thread's first column.</param>
    /// <param name="aligned">See <see cref="Float4.LoadRow"/>.</param>
    /// <param name="to">[16 columns, 64 rows and a margin].</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StageTurned(ArrayView<float> from, long row, int left, int column, int aligned, ArrayView<float> to)
    {
        Float4 four = Float4.LoadRow(from, row + column, left, aligned);
        int at = (4 * (Group.IdxX & 3) * Stride) + (Group.IdxX >> 2);
        to[at] = four.X;
        to[at + Stride] = four.Y;
        to[at + (2 * Stride)] = four.Z;
        to[at + (3 * Stride)] = four.W;
    }

    /// <summary>Brings 128 columns of 16 rows to shared memory; each thread twice four of one row.</summary>
    /// <param name="from">Where the rows lie.</param>
    /// <param name="at">The thread's first column of its row.</param>
    /// <param name="left">The row's columns from there on: none or less where it has no numbers.</param>
    /// <param name="aligned">See <see cref="Float4.LoadRow"/>.</param>
    /// <param name="to">[16 rows, 128 columns].</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StageRows(ArrayView<float> from, long at, int left, int aligned, ArrayView<Float4> to)
    {
        int four = ((Group.IdxX >> 4) * (Part / 4)) + (Group.IdxX & 15);
        to[four] = Float4.LoadRow(from, at, left, aligned);
        to[four + (Part / 8)] = Float4.LoadRow(from, at + (Part / 2), left - (Part / 2), aligned);
    }

    /// <summary>Brings keys or values of 16 positions to shared memory, from the past or from the rows; see <see cref="StageRows"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StageKeys(AttentionArguments a, AttentionTask task, int head, int position, int end, int column, ArrayView<Float4> to, bool values)
    {
        ArrayView<float> past = values ? a.PastV : a.PastK, own = values ? a.V : a.K;
        bool there = position < end;
        StageRows(position < task.Past ? past : own, there ? task.Position(position, a, head) + column : 0, there ? a.Width - column : 0, a.Aligned, to);
    }
}
