using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Tensors.Tests.Ops.MatMul;

/// <summary>One random product: unequal sizes, padded strides, all flags.</summary>
public sealed record GemmCase(bool TransA, bool TransB, int M, int N, int K, int PadA, int PadB, int PadC, bool Accumulate, float Alpha, int Seed)
{
    public int Lda => (TransA ? M : K) + PadA;

    public int Ldb => (TransB ? K : N) + PadB;

    public int Ldc => N + PadC;

    public static Arbitrary<GemmCase> Arbitrary(int largest)
    {
        Gen<int> size = Gen.Frequency((2, Gen.Choose(1, 40)), (1, Gen.Choose(1, largest)));
        Gen<int> pad = Gen.Frequency((1, Gen.Constant(0)), (1, Gen.Choose(1, 19)));
        Gen<bool> coin = Gen.Elements(false, true);
        Gen<GemmCase> cases =
            from transA in coin
            from transB in coin
            from m in size
            from n in size
            from k in size
            from padA in pad
            from padB in pad
            from padC in pad
            from accumulate in coin
            from alpha in Gen.Elements(1f, 1f, -0.75f)
            from seed in Gen.Choose(0, int.MaxValue - 1)
            where !(m == n && n == k)
            select new GemmCase(transA, transB, m, n, k, padA, padB, padC, accumulate, alpha, seed);
        return cases.ToArbitrary();
    }

    // The spans end with the last element: a read or write beyond it is a real overrun, not padding.
    public float[] MakeA() => Numbers(Length(TransA ? K : M, TransA ? M : K, Lda), Seed);

    public float[] MakeB() => Numbers(Length(TransB ? N : K, TransB ? K : N, Ldb), Seed + 1);

    public float[] MakeC() => Numbers(Length(M, N, Ldc), Seed + 2);

    public float[] Run(float[] a, float[] b)
    {
        float[] c = MakeC();
        Gemm.Multiply(TransA, TransB, M, N, K, a, Lda, b, Ldb, c, Ldc, Accumulate, Alpha);
        return c;
    }

    public float[] Run() => Run(MakeA(), MakeB());

    public double[] Plain()
    {
        double[] c = [.. MakeC().Select(x => (double)x)];
        GemmPlain.Multiply(TransA, TransB, M, N, K, [.. MakeA().Select(x => (double)x)], Lda, [.. MakeB().Select(x => (double)x)], Ldb, c, Ldc, Accumulate, Alpha);
        return c;
    }

    /// <summary>The documented order of fused multiply-adds, written out: one chain, or sixteen for a plain A and a transposed B of at most sixteen rows.</summary>
    public float[] Chain()
    {
        float[] a = MakeA();
        float[] b = MakeB();
        float[] c = MakeC();
        bool thin = !TransA && TransB && N <= 16 && Alpha == 1f;
        float[] chains = new float[thin ? 16 : 1];
        for (int i = 0; i < M; i++)
        {
            for (int j = 0; j < N; j++)
            {
                ref float element = ref c[(i * Ldc) + j];
                Array.Clear(chains);
                chains[0] = Accumulate && !thin ? element : 0f;
                for (int p = 0; p < K; p++)
                {
                    float left = Alpha * (TransA ? a[(p * Lda) + i] : a[(i * Lda) + p]);
                    ref float s = ref chains[p % chains.Length];
                    s = MathF.FusedMultiplyAdd(left, TransB ? b[(j * Ldb) + p] : b[(p * Ldb) + j], s);
                }

                for (int half = chains.Length / 2; half > 0; half /= 2)
                {
                    for (int l = 0; l < half; l++)
                    {
                        chains[l] += chains[l + half];
                    }
                }

                element = Accumulate && thin ? element + chains[0] : chains[0];
            }
        }

        return c;
    }

    public static float[] Numbers(int count, int seed)
    {
        Random random = new(seed);
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++)
        {
            numbers[i] = (float)((random.NextDouble() * 2) - 1);
        }

        return numbers;
    }

    private static int Length(int rows, int columns, int stride) => ((rows - 1) * stride) + columns;
}
