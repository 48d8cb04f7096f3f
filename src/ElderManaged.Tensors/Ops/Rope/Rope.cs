using System.Runtime.InteropServices;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>
    /// Rotary position embedding: in every head, the pair number i of a row at position p is turned by the angle p · θ^(−2i/d),
    /// d = <paramref name="headWidth"/>.
    /// </summary>
    /// <param name="x">[rows, heads · d]: queries or keys.</param>
    /// <param name="positions">The position of each row; not negative.</param>
    /// <param name="headWidth">d, an even number that divides the width of <paramref name="x"/>.</param>
    /// <param name="theta">θ, 10000 in the paper.</param>
    /// <param name="interleaved">
    /// False: elements i and i + d/2 are a pair, as in Hugging Face's LLaMA (<c>rotate_half</c>). True: elements 2i and 2i + 1, as
    /// in the paper and in LLaMA's original weights.
    /// </param>
    /// <returns>The shape of <paramref name="x"/>.</returns>
    /// <remarks>
    /// Su et al. 2021, "RoFormer", equation 34, arXiv:2104.09864v5. Angles are computed in double precision, where Hugging Face
    /// has float32; at position 1000 the results differ by about 1e-4.
    /// </remarks>
    public static Tensor Rope(Tensor x, ReadOnlySpan<int> positions, int headWidth, float theta, bool interleaved = false)
    {
        RopeTable table = CheckRope(x, positions, headWidth, theta);
        Tensor? kept = null;
        if (Tape.Wants(x))
        {
            // The caller's span may be gone at backward; a pooled tensor holds the same bits.
            kept = Tape.NewTensor(new Shape(positions.Length));
            positions.CopyTo(MemoryMarshal.Cast<float, int>(kept.Span));
        }

        return Rope(x, positions, new RopeState(x, null, kept, table, headWidth, interleaved));
    }

    /// <summary>
    /// Rotary position embedding at the positions of packed sequences; see
    /// <see cref="Rope(Tensor, ReadOnlySpan{int}, int, float, bool)"/>.
    /// </summary>
    /// <param name="x">[rows, heads · d]: queries or keys.</param>
    /// <param name="layout">Gives the position of each row.</param>
    /// <param name="headWidth">d, an even number that divides the width of <paramref name="x"/>.</param>
    /// <param name="theta">θ, 10000 in the paper.</param>
    /// <param name="interleaved">Whether elements 2i and 2i + 1 are a pair, instead of i and i + d/2.</param>
    /// <returns>The shape of <paramref name="x"/>.</returns>
    public static Tensor Rope(Tensor x, SequenceLayout layout, int headWidth, float theta, bool interleaved = false)
    {
        ArgumentNullException.ThrowIfNull(layout);
        RopeTable table = CheckRope(x, layout.Positions, headWidth, theta);
        return Rope(x, layout.Positions, new RopeState(x, layout, null, table, headWidth, interleaved));
    }

    private static Tensor Rope(Tensor x, ReadOnlySpan<int> positions, RopeState state)
    {
        Tensor y = Tape.NewTensor(x.Shape);
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            RopeGpu.Run(gpu, x, y, positions, state, backward: false, add: false);
        }
        else
        {
            RopeKernel.Run(x, y, positions, state, backward: false, add: false);
        }

        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Rope", y, state, static (s, y) =>
            {
                ReadOnlySpan<int> positions = s.Layout is { } layout ? layout.Positions : MemoryMarshal.Cast<float, int>(s.Kept!.Span);
                Tensor dx = s.X.GradSink(out bool fresh);
                if (GpuFeature.IsSupported && s.X.Gpu is { } gpu)
                {
                    RopeGpu.Run(gpu, y.Grad!, dx, positions, s, backward: true, add: !fresh);
                }
                else
                {
                    RopeKernel.Run(y.Grad!, dx, positions, s, backward: true, add: !fresh);
                }
            });
    }

    private static RopeTable CheckRope(Tensor x, ReadOnlySpan<int> positions, int headWidth, float theta)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (headWidth <= 0 || headWidth % 2 != 0 || x.Columns % headWidth != 0)
        {
            throw new ArgumentException($"Rope: the head width {headWidth} must be even and divide the width of the input {x.Shape}.");
        }

        if (positions.Length != x.Rows)
        {
            throw new ArgumentException($"Rope: {positions.Length} positions for the {x.Rows} rows of the input {x.Shape}.");
        }

        int last = 0;
        foreach (int position in positions)
        {
            if (position < 0)
            {
                throw new ArgumentException($"Rope: position {position} is negative.");
            }

            last = Math.Max(last, position);
        }

        return RopeTable.For(headWidth, theta, last);
    }
}

/// <summary>What the backward of <see cref="Op.Rope(Tensor, SequenceLayout, int, float, bool)"/> needs; positions come from the layout or are kept as bits.</summary>
internal readonly record struct RopeState(Tensor X, SequenceLayout? Layout, Tensor? Kept, RopeTable Table, int HeadWidth, bool Interleaved);
