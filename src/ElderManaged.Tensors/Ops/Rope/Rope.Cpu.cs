using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>
/// Turns pairs of elements: (a, b) by an angle gives (a·cos − b·sin, b·cos + a·sin). Backward turns by the negative angle, that is
/// with the sign of sin changed.
/// </summary>
/// <remarks>
/// <code>
///   halves   x = a0 a1 … | b0 b1 …      a and b are loaded as they lie
///   pairs    x = a0 b0 a1 b1 …          y = x · (c0 c0 c1 c1 …) + swapped x · (−s0 s0 −s1 s1 …), from a table spread like that
/// </code>
/// Bound by reading x and writing y: cos and sin of a row are read once and used for all heads.
/// </remarks>
internal static unsafe class RopeKernel
{
    // Pieces of work for one thread: about 64 KB of x and of y.
    private const int PieceElements = 16 * 1024;

    /// <summary>Forward: y = rotated x. Backward: y = (or, when <paramref name="add"/>, y +=) x rotated back, where x is dy and y is dx.</summary>
    public static void Run(Tensor x, Tensor y, ReadOnlySpan<int> positions, RopeState state, bool backward, bool add)
    {
        fixed (int* pinned = positions)
        {
            Rows rows = new()
            {
                Level = Simd.Level,
                X = x,
                Y = y,
                Positions = pinned,
                Table = state.Table,
                HeadWidth = state.HeadWidth,
                Interleaved = state.Interleaved,
                Backward = backward,
                Add = add,
            };
            RowBlocks.RunOfSize(Math.Max(1, PieceElements / Math.Max(1, x.Columns)), x.Rows, rows, static (rows, block) => rows.Turn(block));
        }
    }

    private struct Rows
    {
        public SimdLevel Level;
        public Tensor X, Y;
        public int* Positions;
        public RopeTable Table;
        public int HeadWidth;
        public bool Interleaved, Backward, Add;

        public readonly void Turn(RowBlock block)
        {
            switch (Level)
            {
                case SimdLevel.Vector512: Turn<Lanes512, Vector512<float>>(block); break;
                case SimdLevel.Vector256: Turn<Lanes256, Vector256<float>>(block); break;
                case SimdLevel.Vector128: Turn<Lanes128, Vector128<float>>(block); break;
                default: Turn<Lanes1, float>(block); break;
            }
        }

        private readonly void Turn<L, V>(RowBlock block)
            where L : struct, ILanes<V>
            where V : struct
        {
            int columns = X.Columns;
            for (int row = block.First; row < block.End; row++)
            {
                float* from = X.Pointer + ((long)row * columns);
                float* to = Y.Pointer + ((long)row * columns);
                if (Interleaved)
                {
                    float* cos = Table.PairCos.Pointer + ((long)Positions[row] * HeadWidth);
                    float* sin = Table.PairSin.Pointer + ((long)Positions[row] * HeadWidth);
                    Pairs<L, V>(from, to, columns, cos, sin, HeadWidth, Backward, Add);
                }
                else
                {
                    float* cos = Table.Cos.Pointer + ((long)Positions[row] * (HeadWidth / 2));
                    float* sin = Table.Sin.Pointer + ((long)Positions[row] * (HeadWidth / 2));
                    Halves<L, V>(from, to, columns, cos, sin, HeadWidth / 2, Backward, Add);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Halves<L, V>(float* x, float* y, int columns, float* cos, float* sin, int half, bool backward, bool add)
        where L : struct, ILanes<V>
        where V : struct
    {
        float sign = backward ? -1f : 1f;
        V signs = L.Broadcast(sign);
        V minus = L.Broadcast(-1f);
        for (float* end = x + columns; x < end; x += 2 * half, y += 2 * half)
        {
            int i = 0;
            for (; i <= half - L.Width; i += L.Width)
            {
                V a = L.Load(x + i);
                V b = L.Load(x + half + i);
                V c = L.Load(cos + i);
                V s = L.Multiply(L.Load(sin + i), signs);
                V first = L.Fma(a, c, L.Multiply(minus, L.Multiply(b, s)));
                V second = L.Fma(b, c, L.Multiply(a, s));
                if (add)
                {
                    first = L.Add(L.Load(y + i), first);
                    second = L.Add(L.Load(y + half + i), second);
                }

                L.Store(y + i, first);
                L.Store(y + half + i, second);
            }

            for (; i < half; i++)
            {
                Turn(x[i], x[half + i], y + i, y + half + i, cos[i], sign * sin[i], add);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pairs<L, V>(float* x, float* y, int columns, float* cos, float* sin, int width, bool backward, bool add)
        where L : struct, ILanes<V>
        where V : struct
    {
        float sign = backward ? -1f : 1f;
        V signs = L.Broadcast(sign);
        for (float* end = x + columns; x < end; x += width, y += width)
        {
            int i = 0;
            for (; L.Width > 1 && i <= width - L.Width; i += L.Width)
            {
                V v = L.Load(x + i);
                V turned = L.Fma(v, L.Load(cos + i), L.Multiply(Swapped(v), L.Multiply(L.Load(sin + i), signs)));
                L.Store(y + i, add ? L.Add(L.Load(y + i), turned) : turned);
            }

            for (; i < width; i += 2)
            {
                Turn(x[i], x[i + 1], y + i, y + i + 1, cos[i], sign * sin[i + 1], add);
            }
        }
    }

    // b0 a0 b1 a1 … of a0 b0 a1 b1 …
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Swapped<V>(V v)
        where V : struct
    {
        if (typeof(V) == typeof(Vector512<float>))
        {
            return Unsafe.BitCast<Vector512<float>, V>(Swap(Unsafe.BitCast<V, Vector512<float>>(v)));
        }

        if (typeof(V) == typeof(Vector256<float>))
        {
            return Unsafe.BitCast<Vector256<float>, V>(Vector256.Shuffle(Unsafe.BitCast<V, Vector256<float>>(v), Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6)));
        }

        return typeof(V) == typeof(Vector128<float>)
            ? Unsafe.BitCast<Vector128<float>, V>(Vector128.Shuffle(Unsafe.BitCast<V, Vector128<float>>(v), Vector128.Create(1, 0, 3, 2)))
            : v;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Swap(Vector512<float> v) => Avx512F.IsSupported
        ? Avx512F.Permute4x32(v, 0b10110001)
        : Vector512.Shuffle(v, Vector512.Create(1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));

    private static void Turn(float a, float b, float* first, float* second, float cos, float sin, bool add)
    {
        float turnedA = MathF.FusedMultiplyAdd(a, cos, -(b * sin));
        float turnedB = MathF.FusedMultiplyAdd(b, cos, a * sin);
        *first = add ? *first + turnedA : turnedA;
        *second = add ? *second + turnedB : turnedB;
    }
}

/// <summary>The plain double-precision twin of rotary position embedding: complex numbers times e^(i·angle).</summary>
internal static class RopePlain
{
    public static double[] Forward(double[] x, int[] positions, int headWidth, double theta, bool interleaved) =>
        Turn(x, positions, headWidth, theta, interleaved, 1);

    public static double[] Backward(double[] dy, int[] positions, int headWidth, double theta, bool interleaved) =>
        Turn(dy, positions, headWidth, theta, interleaved, -1);

    private static double[] Turn(double[] x, int[] positions, int headWidth, double theta, bool interleaved, int direction)
    {
        double[] y = new double[x.Length];
        int width = x.Length / positions.Length;
        for (int head = 0; head < x.Length; head += headWidth)
        {
            for (int i = 0; i < headWidth / 2; i++)
            {
                int first = head + (interleaved ? 2 * i : i);
                int second = interleaved ? first + 1 : first + (headWidth / 2);
                double angle = direction * positions[head / width] * Math.Pow(theta, -2.0 * i / headWidth);
                System.Numerics.Complex turned = new System.Numerics.Complex(x[first], x[second]) * System.Numerics.Complex.FromPolarCoordinates(1, angle);
                (y[first], y[second]) = (turned.Real, turned.Imaginary);
            }
        }

        return y;
    }
}
