using System.Numerics;

namespace ElderManaged.Tensors;

/// <summary>The size of tiles as the processor sees it when it launches them.</summary>
internal sealed record GemmTileSize(int Rows, int Columns, int Depth, int Threads)
{
    /// <summary>All sizes there are kernels for, the largest first.</summary>
    public static GemmTileSize[] All { get; } =
        [Of<Tile128x128>(), Of<Tile128x64>(), Of<Tile64x128>(), Of<Tile64x64>(), Of<Tile32x64>(), Of<Tile16x64>()];

    /// <summary>Their names.</summary>
    public static string[] Names { get; } = [.. All.Select(size => size.Name)];

    /// <summary>"128x64".</summary>
    public string Name { get; } = $"{Rows}x{Columns}";

    /// <summary>Shared memory of a group, in bytes: two stages of A and B with a gap of four numbers a row.</summary>
    public int SharedBytes => 2 * sizeof(float) * Depth * (Rows + 4 + Columns + 4);

    /// <summary>Groups side by side for so many columns.</summary>
    public int GroupsAcross(int columns) => (columns + Columns - 1) / Columns;

    /// <summary>Groups one below the other for so many rows.</summary>
    public int GroupsDown(int rows) => (rows + Rows - 1) / Rows;

    private static GemmTileSize Of<TTile>()
        where TTile : struct, IGemmTile => new(TTile.Rows, TTile.Columns, TTile.Depth, TTile.Threads);
}

/// <summary>
/// Which tiles a product takes: those that were fastest on this device when it was measured, otherwise those that a count says.
/// The results are the same bits, so this is about time only.
/// </summary>
internal static class GemmTuning
{
    /// <summary>A place in <see cref="GemmTileSize.All"/>; what <see cref="GemmArguments.MarkFours"/> says must be said already.</summary>
    public static int SizeFor<TOperand>(GpuDevice gpu, in GemmArguments a)
        where TOperand : struct, IGemmOperand
    {
        if (gpu.Tuner is not { } tuner)
        {
            return Default(a.M, a.N, a.Batch, gpu.Accelerator.NumMultiprocessors);
        }

        GpuTuneKey key = KeyOf<TOperand>(a);
        return tuner.TryGet(key, out int known) ? known : Measure<TOperand>(gpu, tuner, key, a);
    }

    /// <summary>What is taken without measuring: the least of rounds of the device's processors times the cost of a tile.</summary>
    /// <remarks>
    /// A processor multiplies and adds 128 pairs of numbers in a cycle, and brings about five numbers from the cache; so a tile
    /// costs Rows·Columns / 128 + (Rows + Columns) / 5 cycles for each k. A large tile needs less of the second, a small one
    /// leaves fewer processors without work in the last round.
    /// </remarks>
    public static int Default(int rows, int columns, int batch, int processors)
    {
        int best = 0;
        double least = double.PositiveInfinity;
        for (int i = 0; i < GemmTileSize.All.Length; i++)
        {
            GemmTileSize size = GemmTileSize.All[i];
            double groups = (double)size.GroupsAcross(columns) * size.GroupsDown(rows) * batch;
            double cost = Math.Ceiling(groups / processors) * ((size.Rows * size.Columns / 128.0) + ((size.Rows + size.Columns) / 5.0));
            if (cost < least)
            {
                (best, least) = (i, cost);
            }
        }

        return best;
    }

    /// <summary>What products have in common that one measurement is made for: kind and order of the operands, and sizes up to the same powers of two.</summary>
    public static GpuTuneKey KeyOf<TOperand>(in GemmArguments a)
        where TOperand : struct, IGemmOperand
    {
        bool alongB = a.B.IsValid ? a.DepthB == 1 : a.Weight.Turned == 0;
        return new GpuTuneKey(Subjects<TOperand>.All[(a.DepthA == 1 ? 0 : 2) + (alongB ? 1 : 0)], Class(Math.Max(a.M, 16)), Class(a.N), Class(a.K), Class(a.Batch));
    }

    private static int Class(int length) => BitOperations.Log2((uint)(2 * length) - 1);

    private static int Measure<TOperand>(GpuDevice gpu, GpuTuner tuner, GpuTuneKey key, GemmArguments a)
        where TOperand : struct, IGemmOperand
    {
        int fallback = Default(a.M, a.N, a.Batch, gpu.Accelerator.NumMultiprocessors);
        List<int> candidates = [fallback];
        for (int i = 0; i < GemmTileSize.All.Length; i++)
        {
            // No tile of which half would be empty.
            if (i != fallback && (GemmTileSize.All[i].Rows <= 16 || GemmTileSize.All[i].Rows < 2 * a.M))
            {
                candidates.Add(i);
            }
        }

        lock (gpu.Gate)
        {
            GpuMemory? result = null;
            try
            {
                // The inputs are the product's own; the result goes elsewhere, and so may be computed again and again.
                result = gpu.AllocateBytes(sizeof(float) * (long)a.M * a.N * a.Batch);
                (a.C, a.Accumulate) = (result.Floats, 0);
                return tuner.Choose(key, GemmTileSize.Names, candidates, size => GpuTuner.Seconds(gpu, () => GemmGpu.Launch<TOperand>(gpu, size, a)));
            }
            catch (DeviceException)
            {
                return fallback; // no room for a second result: the product itself may still do
            }
            finally
            {
                result?.Free();
            }
        }
    }

    private static class Subjects<TOperand>
        where TOperand : struct, IGemmOperand
    {
        public static readonly string[] All = [$"{TOperand.Name} nn", $"{TOperand.Name} nt", $"{TOperand.Name} tn", $"{TOperand.Name} tt"];
    }
}
