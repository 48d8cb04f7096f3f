namespace ElderManaged.Tensors;

/// <summary>
/// Notes the products with frozen weights that this thread asks for, and can do them again with nothing around them: what
/// remains of a loop's time beyond that is its own.
/// </summary>
/// <remarks>One log at a time on a thread; it ends with <see cref="Dispose"/> and can be replayed afterwards.</remarks>
public sealed class ProductLog : IDisposable
{
    [ThreadStatic]
    private static ProductLog? current;

    private readonly List<Product> products = [];
    private float[] input = [], output = [];
    private int[] targets = [];
    private (Tensor Input, Tensor Output)? there; // on a device

    private ProductLog()
    {
    }

    /// <summary>How many products were noted.</summary>
    public int Count => products.Count;

    /// <summary>Additions and multiplications of all of them.</summary>
    public double Operations => products.Sum(p => (p.Losses ? 4.0 : 2.0) * p.Rows * p.Weight.OutFeatures * p.Weight.InFeatures);

    /// <summary>How many numbers of weights they read, each product its own once.</summary>
    public double Weights => products.Sum(p => (double)p.Weight.OutFeatures * p.Weight.InFeatures);

    /// <summary>Bytes of weights as they are stored, of inputs and of results, each product its own once.</summary>
    public double Bytes => products.Sum(p =>
        p.Weight.Numbers.ByteCount((long)p.Weight.OutFeatures * p.Weight.InFeatures) + (sizeof(float) * (double)p.Rows * (p.Weight.OutFeatures + p.Weight.InFeatures)));

    /// <summary>The different matrices among them.</summary>
    public IEnumerable<FrozenMatrix> Matrices => products.Select(p => p.Weight).Distinct();

    /// <summary>Begins to note products of this thread.</summary>
    public static ProductLog Start()
    {
        if (current is not null)
        {
            throw new InvalidOperationException("ProductLog: this thread has a log already; end it first.");
        }

        return current = new ProductLog();
    }

    /// <summary>Does all products again, in their order, on made-up numbers.</summary>
    public void Replay()
    {
        GrowBuffers();
        foreach (Product p in products)
        {
            if (p.Losses)
            {
                // Both products of a block of the weight, and what lies between them.
                p.Weight.Losses(input, p.Rows, targets.AsSpan(0, p.Rows), output, output.AsSpan(p.Rows));
            }
            else if (p.Transposed)
            {
                p.Weight.MultiplyTransposed(input, p.Rows, output, p.Accumulate);
            }
            else
            {
                p.Weight.Multiply(input, p.Rows, output);
            }
        }
    }

    /// <summary>The same where the products were computed: on a device it returns when they are done.</summary>
    public void Replay(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (GpuFeature.IsSupported && device is GpuDevice gpu)
        {
            ReplayOn(gpu);
        }
        else
        {
            Replay();
        }
    }

    /// <summary>Stops noting.</summary>
    public void Dispose()
    {
        if (current == this)
        {
            current = null;
        }
    }

    internal static void Note(FrozenMatrix weight, int rows, bool transposed, bool accumulate) =>
        current?.products.Add(new Product(weight, rows, transposed, accumulate));

    internal static void NoteLosses(FrozenMatrix weight, int rows) =>
        current?.products.Add(new Product(weight, rows, Transposed: false, Accumulate: false, Losses: true));

    private void ReplayOn(GpuDevice gpu)
    {
        if (there is not { } memory || memory.Input.Device != gpu)
        {
            there = memory = (new Tensor(new Shape(Largest, 1)), new Tensor(new Shape(Largest, 1)));
            new RandomSource(1).FillUniform(memory.Input.Span, -1, 1);
            memory.Input.MoveTo(gpu);
            memory.Output.MoveTo(gpu);
        }

        memory.Output.Clear();
        using Tape tape = Tape.Start(record: false);
        foreach (Product p in products)
        {
            Tensor left = Op.Reshape(Op.SliceRows(memory.Input, 0, p.Rows * p.Inputs), new Shape(p.Rows, p.Inputs));
            Tensor result = Op.Reshape(Op.SliceRows(memory.Output, 0, p.Rows * p.Outputs), new Shape(p.Rows, p.Outputs));
            if (p.Transposed)
            {
                p.Weight.MultiplyTransposedOn(gpu, left, result, !p.Accumulate);
            }
            else
            {
                p.Weight.MultiplyOn(gpu, left, result, null);
            }
        }

        gpu.Synchronize();
    }

    private int Largest => products.Count == 0 ? 0 : products.Max(p => p.Rows * (p.Losses ? p.Inputs + 1 : Math.Max(p.Inputs, p.Outputs)));

    private void GrowBuffers()
    {
        int largest = Largest;
        if (input.Length < largest)
        {
            (input, output) = (new float[largest], new float[largest]);
            new RandomSource(1).FillUniform(input, -1, 1);
            targets = new int[products.Max(p => p.Rows)];
        }

        // Sums are added up again and again: from zero each time, so that they stay finite.
        Array.Clear(output);
    }

    private readonly record struct Product(FrozenMatrix Weight, int Rows, bool Transposed, bool Accumulate, bool Losses = false)
    {
        public int Inputs => Transposed ? Weight.OutFeatures : Weight.InFeatures;

        public int Outputs => Transposed ? Weight.InFeatures : Weight.OutFeatures;
    }
}
