namespace ElderManaged.Tensors;

/// <summary>
/// The scope of one step. Inside <c>using (Tape tape = Tape.Start()) { … }</c> every <see cref="Op"/> takes its result
/// from the tape's pool and, if an input requires a gradient, records how the gradient flows back;
/// <see cref="Backward(Tensor)"/> runs that record in reverse. At the end of the scope all intermediates return to the pool, so
/// a thousand equal steps use the memory of one.
/// </summary>
/// <remarks>
/// A tape belongs to the thread that started it; scopes nest, the innermost is current. Outside of any tape ops work
/// too: they make ordinary tensors and record nothing. Not thread-safe; other threads have tapes of their own.
/// </remarks>
public sealed class Tape : IDisposable
{
    [ThreadStatic]
    private static Tape? current;

    [ThreadStatic]
    private static Stack<Tape>? free;

    private readonly BufferPool pool = new();
    private readonly List<GradNode> nodes = [];
    private readonly List<Tensor> owned = [];
    private readonly Stack<Tensor> handles = new();
    private Tape? outer;
    private bool active;

    private Tape()
    {
    }

    /// <summary>The innermost tape of this thread, or null.</summary>
    public static Tape? Current => current;

    /// <summary>Whether ops record for <see cref="Backward(Tensor)"/>; false in scopes that only compute.</summary>
    public bool Records { get; private set; }

    /// <summary>Bytes that this tape's pool has ever allocated; stays the same in a steady loop.</summary>
    public long PooledBytes => pool.AllocatedBytes;

    /// <summary>The names of the recorded ops in order, for reading and profiles.</summary>
    public IEnumerable<string> RecordedOps => nodes.Select(node => node.Name);

    /// <summary>Starts a scope on this thread.</summary>
    /// <param name="record">False for a scope that only computes: pooled intermediates, no gradients.</param>
    public static Tape Start(bool record = true)
    {
        free ??= new Stack<Tape>();
        if (!free.TryPop(out Tape? tape))
        {
            tape = new Tape();
        }

        tape.outer = current;
        tape.Records = record;
        tape.active = true;
        current = tape;
        return tape;
    }

    /// <summary>Whether an op on <paramref name="input"/> must be recorded, now, on this thread.</summary>
    public static bool Wants(Tensor? input) => input is { RequiresGrad: true } && current is { Records: true };

    /// <summary>Whether an op on these inputs must be recorded, now, on this thread.</summary>
    public static bool Wants(Tensor? a, Tensor? b) => Wants(a) || Wants(b);

    /// <summary>Whether an op on these inputs must be recorded, now, on this thread.</summary>
    public static bool Wants(Tensor? a, Tensor? b, Tensor? c) => Wants(a) || Wants(b) || Wants(c);

    /// <summary>
    /// A result tensor with undefined contents: pooled inside a tape, ordinary outside. For authors of ops.
    /// </summary>
    public static Tensor NewTensor(Shape shape) => current is { } tape ? tape.Rent(shape) : new Tensor(shape);

    /// <summary>
    /// Adds d(<paramref name="loss"/>)/d(parameter) to the gradient of every parameter that took part.
    /// </summary>
    /// <exception cref="InvalidOperationException">
    /// The loss is not a single number, or was not recorded on this tape.
    /// </exception>
    public void Backward(Tensor loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        if (loss.Length != 1)
        {
            throw new InvalidOperationException($"Backward: the loss must be one number, its shape is {loss.Shape}. Sum or average it first.");
        }

        Backward(loss, [1f]);
    }

    /// <summary>
    /// The vector-Jacobian product: starts from the gradient <paramref name="seed"/> of <paramref name="output"/>
    /// (as many numbers as it has) and adds what reaches each parameter to its gradient.
    /// </summary>
    /// <exception cref="InvalidOperationException">The output was not recorded on this tape.</exception>
    public void Backward(Tensor output, ReadOnlySpan<float> seed)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (seed.Length != output.Length)
        {
            throw new ArgumentException($"Backward: the output {output.Shape} needs {output.Length} gradient values, got {seed.Length}.");
        }

        RowBlocks.Copy(seed, StartOf(output));
        Flow(output);
    }

    /// <summary>The same from a gradient that is a tensor, and stays on the device where it lies.</summary>
    /// <exception cref="InvalidOperationException">The output was not recorded on this tape.</exception>
    public void Backward(Tensor output, Tensor seed)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(seed);
        if (seed.Length != output.Length)
        {
            throw new ArgumentException($"Backward: the output {output.Shape} needs {output.Length} gradient values, got {seed.Shape}.");
        }

        seed.CopyTo(StartOf(output));
        Flow(output);
    }

    private Tensor StartOf(Tensor output) => output.RequiresGrad && output.Owner == this
        ? output.GradSink(out _)
        : throw new InvalidOperationException("Backward: the output was not recorded on this tape; does any input require a gradient?");

    private void Flow(Tensor output)
    {
        output.Grad!.MoveTo(output.Device); // gradients flow where the values were computed
        for (int i = nodes.Count - 1; i >= 0; i--)
        {
            GradNode node = nodes[i];
            if (node.Output.Grad is null)
            {
                continue; // nothing that the output depends on
            }

            node.Backward();
            LetGo(node.Output);
        }
    }

    /// <summary>Ends the gradient of an intermediate, which is not needed once it has flowed on; without it the intermediate's node is passed over.</summary>
    internal void LetGo(Tensor output)
    {
        if (output.Grad is { } gradient)
        {
            output.Grad = null;
            gradient.Release(pool);
        }
    }

    /// <summary>Ends the scope: intermediates return to the pool and must not be used any more.</summary>
    public void Dispose()
    {
        if (!active)
        {
            return;
        }

        if (current != this)
        {
            throw new InvalidOperationException("Tape: scopes must end on their own thread, innermost first.");
        }

        foreach (GradNode node in nodes)
        {
            node.Recycle();
        }

        foreach (Tensor tensor in owned)
        {
            tensor.Release(pool);
            handles.Push(tensor);
        }

        nodes.Clear();
        owned.Clear();
        pool.EndScope();
        active = false;
        current = outer;
        outer = null;
        free!.Push(this);
    }

    internal Tensor Rent(Shape shape)
    {
        Tensor tensor = NewHandle();
        tensor.BecomeOwned(this, shape, pool.Rent(shape.Length));
        return tensor;
    }

    /// <summary>A second owner of a buffer of this tape's pool; neither may write while there are two.</summary>
    internal Tensor RentShared(FloatBuffer memory, int start, Shape shape)
    {
        memory.Users++;
        Tensor tensor = NewHandle();
        tensor.BecomeOwned(this, shape, memory, start);
        return tensor;
    }

    internal Tensor RentView(Tensor source, int start, Shape shape)
    {
        Tensor tensor = NewHandle();
        tensor.BecomeOwned(this, shape, null);
        tensor.BecomeView(source, start, shape);
        return tensor;
    }

    internal void Add(GradNode node) => nodes.Add(node);

    private Tensor NewHandle()
    {
        if (!handles.TryPop(out Tensor? tensor))
        {
            tensor = new Tensor(default, (FloatBuffer)null!);
        }

        owned.Add(tensor);
        return tensor;
    }
}
