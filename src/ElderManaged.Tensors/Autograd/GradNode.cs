namespace ElderManaged.Tensors;

/// <summary>
/// One step of a computation on the tape: which tensor it made, and how a gradient of that tensor flows on to its
/// inputs. Nodes are recycled with their tape, so a steady training loop allocates none.
/// </summary>
public abstract class GradNode
{
    /// <summary>The name of the op, for messages and profiles.</summary>
    public string Name { get; private protected set; } = "";

    internal Tensor Output { get; private protected set; } = null!;

    internal abstract void Backward();

    internal abstract void Recycle();

    /// <summary>
    /// Records <paramref name="output"/> as the result of an op. Call it only when <see cref="Tape.Wants(Tensor)"/>
    /// says so for at least one input.
    /// </summary>
    /// <typeparam name="TState">What backward needs: the inputs and saved values, usually a tuple.</typeparam>
    /// <param name="name">The op's name.</param>
    /// <param name="output">The op's result.</param>
    /// <param name="state">Handed to <paramref name="backward"/> unchanged.</param>
    /// <param name="backward">
    /// Gets the state and the output, whose <see cref="Tensor.Grad"/> is set, and adds to <see cref="Tensor.GradSink()"/> of each input that
    /// <see cref="Tape.Wants(Tensor)"/> a gradient. Make it a static lambda: a closure would be allocated at each call.
    /// </param>
    /// <returns><paramref name="output"/>, now with <see cref="Tensor.RequiresGrad"/> set.</returns>
    public static Tensor Record<TState>(string name, Tensor output, TState state, Action<TState, Tensor> backward)
    {
        Tape tape = Tape.Current ?? throw new InvalidOperationException($"{name}: gradients are recorded only inside a Tape.");
        output.RequiresGrad = true;
        tape.Add(GradNode<TState>.Rent(name, output, state, backward));
        return output;
    }
}

internal sealed class GradNode<TState> : GradNode
{
    [ThreadStatic]
    private static Stack<GradNode<TState>>? free;

    private TState state = default!;
    private Action<TState, Tensor> backward = null!;

    public static GradNode<TState> Rent(string name, Tensor output, TState state, Action<TState, Tensor> backward)
    {
        free ??= new Stack<GradNode<TState>>();
        if (!free.TryPop(out GradNode<TState>? node))
        {
            node = new GradNode<TState>();
        }

        node.Name = name;
        node.Output = output;
        node.state = state;
        node.backward = backward;
        return node;
    }

    internal override void Backward() => backward(state, Output);

    internal override void Recycle()
    {
        state = default!;
        backward = null!;
        Output = null!;
        free!.Push(this);
    }
}
