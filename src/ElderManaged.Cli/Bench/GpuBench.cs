using System.Diagnostics;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Bench;

/// <summary>One op measured on a device.</summary>
/// <param name="Name">The op with its sizes.</param>
/// <param name="Seconds">One call, the median.</param>
/// <param name="Operations">Additions and multiplications.</param>
/// <param name="Bytes">Bytes of inputs and results, each counted once.</param>
/// <param name="OnDevice">Whether the device computed it; otherwise the engine has no kernel for it, and the processor did.</param>
internal sealed record GpuBenchLine(string Name, double Seconds, double Operations, double Bytes, bool OnDevice)
{
    /// <summary>The least time that the device's peaks allow, over the time taken.</summary>
    public double ShareOf(DevicePeaks peaks) => Math.Max(Operations / peaks.OperationsPerSecond, Bytes / peaks.BytesPerSecond) / Seconds;
}

/// <summary>The sizes that are measured.</summary>
/// <param name="Products">Rows, inputs and outputs of products with frozen weights.</param>
/// <param name="Elements">Elements of elementwise ops.</param>
/// <param name="Attention">Positions, heads and the width of a head.</param>
internal sealed record GpuBenchSizes((int Rows, int In, int Out)[] Products, int Elements, (int Positions, int Heads, int HeadSize) Attention)
{
    /// <summary>Of GPT-2 XL and LLaMA-2 7B: a token, a batch of edits, a long prompt.</summary>
    public static GpuBenchSizes Real { get; } = new(
        [(1, 4096, 4096), (16, 4096, 4096), (128, 1600, 6400), (128, 4096, 11008), (1024, 4096, 4096)], 1 << 24, (1024, 32, 128));
}

/// <summary>Times single ops on a device.</summary>
internal static class GpuBench
{
    private const double LeastSeconds = 0.02; // of one measurement, so that asking for work does not count
    private const int Measurements = 5;

    public static List<GpuBenchLine> Run(Device device, GpuBenchSizes sizes, Action<string> progress, CancellationToken cancellationToken)
    {
        RandomSource random = new(7);
        List<GpuBenchLine> lines = [];
        Tensor Random(int rows, int columns)
        {
            Tensor tensor = new(new Shape(rows, columns));
            random.FillUniform(tensor.Span, -1, 1);
            tensor.MoveTo(device);
            return tensor;
        }

        void Add(string name, double operations, double bytes, Func<Tensor> op)
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress(name);
            (double seconds, bool there) = Measure(device, op);
            lines.Add(new GpuBenchLine(name, seconds, operations, bytes, there));
        }

        foreach ((int rows, int inputs, int outputs) in sizes.Products)
        {
            float[] numbers = new float[inputs * outputs];
            random.FillUniform(numbers, -0.02f, 0.02f);
            Tensor x = Random(rows, inputs);
            foreach (StoredNumbers format in (ReadOnlySpan<StoredNumbers>)[StoredNumbers.Float32, StoredNumbers.Float16])
            {
                FrozenMatrix weight = format == StoredNumbers.Float32
                    ? FrozenMatrix.FromDense(numbers, outputs, inputs)
                    : FrozenMatrix.Quantize(format, numbers, outputs, inputs);
                double bytes = format.ByteCount((long)inputs * outputs) + (sizeof(float) * (double)rows * (inputs + outputs));
                Add($"product {rows} x {inputs} x {outputs}, {format}", 2.0 * rows * inputs * outputs, bytes, () => Op.Linear(x, weight, null));
            }
        }

        Tensor elements = Random(1, sizes.Elements);
        Add($"GELU of {sizes.Elements}", 0, 2.0 * sizeof(float) * sizes.Elements, () => Op.Gelu(elements));

        (int positions, int heads, int headSize) = sizes.Attention;
        int width = heads * headSize;
        Tensor q = Random(positions, width), k = Random(positions, width), v = Random(positions, width);
        SequenceLayout layout = new([positions]);

        // Two products, each of the lower triangle only.
        Add($"attention of {positions} positions, {heads} heads of {headSize}", 2.0 * positions * positions * width, 4.0 * sizeof(float) * positions * width,
            () => Op.Attention(q, k, v, heads, heads, layout, null));
        return lines;
    }

    private static (double Seconds, bool OnDevice) Measure(Device device, Func<Tensor> op)
    {
        bool there;
        using (Tape.Start(record: false))
        {
            there = op().Device == device; // compiles the kernel and brings weights there
            device.Synchronize();
        }

        double once = Seconds(device, op, 1);
        int times = (int)Math.Clamp(LeastSeconds / once, 1, 1000);
        return (Statistics.Median(Enumerable.Range(0, Measurements).Select(_ => Seconds(device, op, times))), there);
    }

    private static double Seconds(Device device, Func<Tensor> op, int times)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < times; i++)
        {
            using Tape tape = Tape.Start(record: false);
            _ = op();
        }

        device.Synchronize();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / times;
    }
}
