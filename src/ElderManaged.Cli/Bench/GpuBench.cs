using System.Diagnostics;
using ElderManaged.Editing.Elder;
using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Bench;

/// <summary>One thing measured on a device.</summary>
/// <param name="Name">What, with its sizes.</param>
/// <param name="Seconds">One call, the median.</param>
/// <param name="Operations">Additions and multiplications.</param>
/// <param name="Bytes">Bytes of inputs and results, each counted once.</param>
/// <param name="OnDevice">Whether the device computed it; otherwise the engine has no kernel for it, and the processor did.</param>
internal sealed record GpuBenchLine(string Name, double Seconds, double Operations, double Bytes, bool OnDevice)
{
    /// <summary>Whether the library of the device's vendor was looked for, to do the same.</summary>
    public bool Compared { get; init; }

    /// <summary>Its name; null where it was not found.</summary>
    public string? Vendor { get; init; }

    /// <summary>What it took.</summary>
    public double VendorSeconds { get; init; } = double.NaN;

    /// <summary>The least time that the device's peaks allow, over the time taken.</summary>
    public double ShareOf(DevicePeaks peaks) => Math.Max(Operations / peaks.OperationsPerSecond, Bytes / peaks.BytesPerSecond) / Seconds;
}

/// <summary>The sizes that are measured.</summary>
/// <param name="Products">Rows, inputs and outputs of products.</param>
/// <param name="Elements">Elements of elementwise ops.</param>
/// <param name="Attention">Positions, heads and the width of a head.</param>
/// <param name="Edit">Whose sizes the model has that is edited, see <see cref="ModelShapes"/>, and the iterations of a batch.</param>
internal sealed record GpuBenchSizes(
    (int Rows, int In, int Out)[] Products, int Elements, (int Positions, int Heads, int HeadSize) Attention, (string Shape, int Iterations) Edit)
{
    /// <summary>Of GPT-2 XL and LLaMA-2 7B: a token, a batch of edits, a long prompt.</summary>
    public static GpuBenchSizes Real { get; } = new(
        [(1, 4096, 4096), (16, 4096, 4096), (128, 1600, 6400), (128, 4096, 11008), (1024, 4096, 4096)], 1 << 24, (1024, 32, 128), ("gpt2", 20));
}

/// <summary>Times single ops and the edit loop on a device.</summary>
internal sealed class GpuBench(Device device, GpuBenchSizes sizes, Action<string> progress, CancellationToken cancellationToken)
{
    private const double LeastSeconds = 0.02; // of one measurement, so that asking for work does not count
    private const int Measurements = 5;
    private readonly RandomSource random = new(7);
    private readonly List<GpuBenchLine> lines = [];

    /// <summary>Measures everything.</summary>
    public List<GpuBenchLine> Run()
    {
        foreach ((int rows, int inputs, int outputs) in sizes.Products)
        {
            FrozenProducts(rows, inputs, outputs);
            DenseProducts(rows, inputs, outputs);
        }

        Tensor elements = Random(1, sizes.Elements);
        Forward($"GELU of {sizes.Elements}", 0, 2.0 * sizeof(float) * sizes.Elements, () => Op.Gelu(elements));
        Attention(sizes.Attention.Positions, sizes.Attention.Heads, sizes.Attention.HeadSize);
        EditLoop("paper", ElderOptions.Paper);
        EditLoop("elder", ElderOptions.Default);
        return lines;
    }

    private void FrozenProducts(int rows, int inputs, int outputs)
    {
        float[] numbers = new float[inputs * outputs];
        random.FillUniform(numbers, -0.02f, 0.02f);
        Tensor x = Random(rows, inputs), dy = Random(rows, outputs);
        x.RequiresGrad = true;
        foreach (StoredNumbers format in (ReadOnlySpan<StoredNumbers>)[StoredNumbers.Float32, StoredNumbers.Float16])
        {
            FrozenMatrix weight = format == StoredNumbers.Float32
                ? FrozenMatrix.FromDense(numbers, outputs, inputs)
                : FrozenMatrix.Quantize(format, numbers, outputs, inputs);
            double bytes = format.ByteCount((long)inputs * outputs) + (sizeof(float) * (double)rows * (inputs + outputs));
            string name = $"product {rows} x {inputs} x {outputs}, {format}";
            bool compared = format == StoredNumbers.Float32;
            Forward(name, 2.0 * rows * inputs * outputs, bytes, () => Op.Linear(x, weight, null), compared ? (rows, inputs, outputs) : null);

            // The input's gradient is summed over calls: read and written.
            Backward($"{name}, backward", 2.0 * rows * inputs * outputs, bytes + (sizeof(float) * (double)rows * inputs), () => Op.Linear(x, weight, null), dy,
                compared ? (rows, outputs, inputs) : null);
        }
    }

    private void DenseProducts(int rows, int inputs, int outputs)
    {
        Tensor x = Random(rows, inputs), weight = Random(inputs, outputs), dy = Random(rows, outputs);
        (x.RequiresGrad, weight.RequiresGrad) = (true, true);
        double numbers = ((double)rows * inputs) + ((double)inputs * outputs);
        Backward($"product {rows} x {inputs} x {outputs}, both gradients", 4.0 * rows * inputs * outputs, sizeof(float) * ((3 * numbers) + ((double)rows * outputs)),
            () => Op.MatMul(x, weight), dy, null);
    }

    private void Attention(int positions, int heads, int headSize)
    {
        int width = heads * headSize;
        Tensor q = Random(positions, width), k = Random(positions, width), v = Random(positions, width), dy = Random(positions, width);
        SequenceLayout layout = new([positions]);
        Tensor Op1() => Op.Attention(q, k, v, heads, heads, layout, null);

        // Two products, each of the lower triangle only; backward has five, q·kᵀ made again among them.
        string name = $"attention of {positions} positions, {heads} heads of {headSize}";
        double triangle = (double)positions * positions * width, matrix = sizeof(float) * (double)positions * width;
        Forward(name, 2 * triangle, 4 * matrix, Op1);
        (q.RequiresGrad, k.RequiresGrad, v.RequiresGrad) = (true, true, true);
        Backward($"{name}, backward", 5 * triangle, 11 * matrix, Op1, dy, null); // reads five, adds to three
    }

    private void EditLoop(string preset, Func<TransformerModel, ElderOptions> options)
    {
        (string shape, int iterations) = sizes.Edit;
        string name = $"iteration of {preset} on {shape}, Float16";
        progress(name);
        TransformerModel model = TransformerModel.CreateFrozen(ModelShapes.Find(shape), seed: 1, StoredNumbers.Float16);
        model.MoveTo(device);
        EditBench bench = new(model, options(model) with { Iterations = iterations, EarlyStopProbability = null }, _ => { }, cancellationToken);
        EditBenchResult result = bench.Run(batches: 1);
        lines.Add(new GpuBenchLine(name, result.Iteration, result.IterationOperations, result.IterationBytes, OnDevice: true));
        lines.Add(new GpuBenchLine($"{name}: its products alone", result.IterationProducts, result.IterationOperations, result.IterationBytes, OnDevice: true));
    }

    private void Forward(string name, double operations, double bytes, Func<Tensor> op, (int Rows, int In, int Out)? compared = null)
    {
        bool there = false;
        double seconds = Measure(name, () =>
        {
            using Tape tape = Tape.Start(record: false);
            there = op().Device == device;
        });
        Add(name, seconds, operations, bytes, there, compared);
    }

    private void Backward(string name, double operations, double bytes, Func<Tensor> op, Tensor dy, (int Rows, int In, int Out)? compared)
    {
        using Tape tape = Tape.Start();
        Tensor y = op();
        double seconds = Measure(name, () => tape.Backward(y, dy));
        Add(name, seconds, operations, bytes, y.Device == device, compared);
    }

    private void Add(string name, double seconds, double operations, double bytes, bool there, (int Rows, int In, int Out)? compared)
    {
        using VendorProduct? vendor = compared is var (rows, inputs, outputs) ? VendorProduct.Find(device, rows, inputs, outputs) : null;
        lines.Add(new GpuBenchLine(name, seconds, operations, bytes, there)
        {
            Compared = compared is not null, Vendor = vendor?.Library, VendorSeconds = vendor is null ? double.NaN : Measure($"{name}, {vendor.Library}", vendor.Run),
        });
    }

    private double Measure(string name, Action action)
    {
        cancellationToken.ThrowIfCancellationRequested();
        progress(name);
        _ = Seconds(action, 1); // compiles the kernel and brings weights there
        int times = (int)Math.Clamp(LeastSeconds / Seconds(action, 1), 1, 1000);
        return Statistics.Median(Enumerable.Range(0, Measurements).Select(_ => Seconds(action, times)));
    }

    private double Seconds(Action action, int times)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < times; i++)
        {
            action();
        }

        device.Synchronize();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / times;
    }

    private Tensor Random(int rows, int columns)
    {
        Tensor tensor = new(new Shape(rows, columns));
        random.FillUniform(tensor.Span, -1, 1);
        tensor.MoveTo(device);
        return tensor;
    }
}
