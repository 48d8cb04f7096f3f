namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>
    /// The matrix product C = op(A)·op(B), where op transposes if asked: [m, k]·[k, n] gives [m, n]. With three or four
    /// dimensions, one product for each index of the leading ones, which must be the same in both.
    /// </summary>
    /// <param name="a">A: [..., m, k], or [..., k, m] if transposed.</param>
    /// <param name="b">B: [..., k, n], or [..., n, k] if transposed.</param>
    /// <param name="transposeA">Whether to read A transposed.</param>
    /// <param name="transposeB">Whether to read B transposed.</param>
    public static Tensor MatMul(Tensor a, Tensor b, bool transposeA = false, bool transposeB = false)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        MatMulSizes sizes = new(a.Shape, b.Shape, transposeA, transposeB);
        Tensor c = Tape.NewTensor(sizes.Result);
        (int m, int n, int k) = (sizes.M, sizes.N, sizes.K);
        if (GpuFeature.IsSupported && a.Gpu is { } gpu)
        {
            MatMulGpu.Forward(gpu, sizes, a, b, c);
        }
        else
        {
            for (int i = 0; i < sizes.Batch; i++)
            {
                Gemm.Multiply(transposeA, transposeB, m, n, k, sizes.A(a, i), sizes.Lda, sizes.B(b, i), sizes.Ldb, sizes.C(c, i), n);
            }
        }

        return !Tape.Wants(a, b)
            ? c
            : GradNode.Record("MatMul", c, (a, b, sizes), static (s, c) =>
            {
                // C = op(A)·op(B)  →  d(op(A)) = dC·op(B)ᵀ,  d(op(B)) = op(A)ᵀ·dC; transposed back where op transposed
                MatMulSizes z = s.sizes;
                if (GpuFeature.IsSupported && s.a.Gpu is { } gpu)
                {
                    MatMulGpu.Backward(gpu, z, s.a, s.b, c.Grad!);
                    return;
                }

                (int m, int n, int k) = (z.M, z.N, z.K);
                for (int i = 0; i < z.Batch; i++)
                {
                    ReadOnlySpan<float> dc = z.C(c.Grad!, i);
                    if (Tape.Wants(s.a))
                    {
                        ReadOnlySpan<float> right = z.B(s.b, i);
                        Span<float> da = z.A(s.a.GradSink(), i);
                        if (z.TransposeA)
                        {
                            Gemm.Multiply(z.TransposeB, true, k, m, n, right, z.Ldb, dc, n, da, m, accumulate: true);
                        }
                        else
                        {
                            Gemm.Multiply(false, !z.TransposeB, m, k, n, dc, n, right, z.Ldb, da, k, accumulate: true);
                        }
                    }

                    if (Tape.Wants(s.b))
                    {
                        ReadOnlySpan<float> left = z.A(s.a, i);
                        Span<float> db = z.B(s.b.GradSink(), i);
                        if (z.TransposeB)
                        {
                            Gemm.Multiply(true, z.TransposeA, n, k, m, dc, n, left, z.Lda, db, k, accumulate: true);
                        }
                        else
                        {
                            Gemm.Multiply(!z.TransposeA, false, k, n, m, left, z.Lda, dc, n, db, n, accumulate: true);
                        }
                    }
                }
            });
    }
}

/// <summary>The sizes of a (batched) matrix product, checked.</summary>
internal readonly struct MatMulSizes
{
    public MatMulSizes(Shape a, Shape b, bool transposeA, bool transposeB)
    {
        if (a.Rank < 2 || a.Rank != b.Rank)
        {
            throw new ArgumentException($"MatMul: both must be matrices, or have the same leading dimensions; left {a}, right {b}.");
        }

        Batch = 1;
        for (int axis = 0; axis < a.Rank - 2; axis++)
        {
            if (a[axis] != b[axis])
            {
                throw new ArgumentException($"MatMul: the leading dimensions differ, left {a}, right {b}.");
            }

            Batch *= a[axis];
        }

        (TransposeA, TransposeB) = (transposeA, transposeB);
        (Lda, Ldb) = (a[-1], b[-1]);
        (M, K) = transposeA ? (a[-1], a[-2]) : (a[-2], a[-1]);
        (int inner, N) = transposeB ? (b[-1], b[-2]) : (b[-2], b[-1]);
        if (inner != K)
        {
            string hint = K == N ? $" Did you mean transposeB: {(transposeB ? "false" : "true")}?"
                : M == inner ? $" Did you mean transposeA: {(transposeA ? "false" : "true")}?"
                : "";
            throw new ArgumentException(
                $"MatMul: inner sizes differ, left {a}{(transposeA ? " transposed" : "")}, right {b}{(transposeB ? " transposed" : "")}.{hint}");
        }

        Result = a.Rank switch
        {
            2 => new Shape(M, N),
            3 => new Shape(a[0], M, N),
            _ => new Shape(a[0], a[1], M, N),
        };
    }

    public int Batch { get; }

    public int M { get; }

    public int N { get; }

    public int K { get; }

    public int Lda { get; }

    public int Ldb { get; }

    public bool TransposeA { get; }

    public bool TransposeB { get; }

    public Shape Result { get; }

    public Span<float> A(Tensor a, int batch) => a.Span.Slice(batch * M * K, M * K);

    public Span<float> B(Tensor b, int batch) => b.Span.Slice(batch * K * N, K * N);

    public Span<float> C(Tensor c, int batch) => c.Span.Slice(batch * M * N, M * N);
}
