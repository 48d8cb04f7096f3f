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

    private ProductLog()
    {
    }

    /// <summary>How many products were noted.</summary>
    public int Count => products.Count;

    /// <summary>Additions and multiplications of all of them.</summary>
    public double Operations => products.Sum(p => 2.0 * p.Rows * p.Weight.OutFeatures * p.Weight.InFeatures);

    /// <summary>How many numbers of weights they read, each product its own once.</summary>
    public double Weights => products.Sum(p => (double)p.Weight.OutFeatures * p.Weight.InFeatures);

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
            if (p.Transposed)
            {
                p.Weight.MultiplyTransposed(input, p.Rows, output, p.Accumulate);
            }
            else
            {
                p.Weight.Multiply(input, p.Rows, output, p.Accumulate);
            }
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

    private void GrowBuffers()
    {
        int largest = products.Count == 0 ? 0 : products.Max(p => p.Rows * Math.Max(p.Weight.OutFeatures, p.Weight.InFeatures));
        if (input.Length < largest)
        {
            (input, output) = (new float[largest], new float[largest]);
            new RandomSource(1).FillUniform(input, -1, 1);
        }

        // Sums are added up again and again: from zero each time, so that they stay finite.
        Array.Clear(output);
    }

    private readonly record struct Product(FrozenMatrix Weight, int Rows, bool Transposed, bool Accumulate);
}
