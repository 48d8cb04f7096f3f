using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>The natural logarithm, element by element; −∞ at 0, not a number below.</summary>
    public static Tensor Log(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        Tensor y = Tape.NewTensor(x.Shape);
        Unary<LogFormula, LogFormula>.Value(x, y);
        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Log", y, x, static (x, y) => Unary<LogFormula, LogFormula>.Backward(x, y.Grad!));
    }
}

/// <summary>Value and slope of <see cref="Op.Log"/>.</summary>
internal readonly struct LogFormula : IUnaryGpuFormula
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Value<L, V>(Num<L, V> x)
        where L : struct, ILanes<V>
        where V : struct
        => Num<L, V>.Log(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Num<L, V> Slope<L, V>(Num<L, V> x)
        where L : struct, ILanes<V>
        where V : struct
        => 1f / x;
}

/// <summary>The plain double-precision twin of <see cref="Op.Log"/>.</summary>
internal static class LogPlain
{
    public static double[] Forward(double[] x) => x.Select(v => Math.Log(v)).ToArray();

    public static double[] Backward(double[] x, double[] dy) => x.Zip(dy, (v, d) => d / v).ToArray();
}
