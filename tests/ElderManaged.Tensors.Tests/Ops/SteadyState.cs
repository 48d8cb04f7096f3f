using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

/// <summary>What a training loop relies on: repeated steps allocate nothing.</summary>
internal static class SteadyState
{
    /// <summary>Runs a step forward and backward inside a tape, which must not allocate once the pools are filled.</summary>
    public static void AllocatesNothing(Func<Tensor> step) => AllocationCheck.AllocatesNothing(() => Run(step));

    private static void Run(Func<Tensor> step)
    {
        using Tape tape = Tape.Start();
        Tensor y = step();
        Tensor dy = Tape.NewTensor(y.Shape);
        dy.Span.Fill(0.5f);
        tape.Backward(y, dy.Span);
    }
}
