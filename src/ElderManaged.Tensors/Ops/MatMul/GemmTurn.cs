using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>
/// One to four rows times a matrix that lies transposed: y[i, j] = Σ x[i, p]·w[j, p]. The time is that of reading w, so w is
/// read once, in place: squares of 8×8 are turned in registers, which gives 8 columns j side by side for each p.
/// </summary>
internal static unsafe class GemmTurn
{
    /// <summary>The most rows it takes.</summary>
    public const int MaxRows = 4;

    // How many rows of w ahead is fetched.
    private const int AheadRows = 32;

    /// <summary>Whether this kernel is the one to use.</summary>
    public static bool Serves(SimdLevel level, int rows) => rows <= MaxRows && Avx.IsSupported && level >= SimdLevel.Vector256;

    /// <summary>y[i, j] ← fma(x[i, p], w[j·wRow + p], y[i, j]) for p from 0 to depth - 1, j below count, i below rows.</summary>
    /// <param name="rows">1 to 4.</param>
    /// <param name="w">The matrix.</param>
    /// <param name="wRow">From one row of w to the next.</param>
    /// <param name="count">Rows of w, columns of y.</param>
    /// <param name="depth">Columns of w and x.</param>
    /// <param name="x">The left matrix.</param>
    /// <param name="xRow">From one row of x to the next.</param>
    /// <param name="y">The sums, which go on.</param>
    /// <param name="yRow">From one row of y to the next.</param>
    public static void Run(int rows, float* w, nint wRow, int count, int depth, float* x, nint xRow, float* y, nint yRow)
    {
        switch (rows)
        {
            case 1: Turn<GemmTile.H1>(w, wRow, count, depth, x, xRow, y, yRow); break;
            case 2: Turn<GemmTile.H2>(w, wRow, count, depth, x, xRow, y, yRow); break;
            case 3: Turn<GemmTile.H3>(w, wRow, count, depth, x, xRow, y, yRow); break;
            default: Turn<GemmTile.H4>(w, wRow, count, depth, x, xRow, y, yRow); break;
        }
    }

    // y[i, j] ← fma(x[i, p], w[j·wRow + p], y[i, j]) for p ascending, j in steps of 8.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Turn<H>(float* w, nint wRow, int count, int depth, float* x, nint xRow, float* y, nint yRow)
        where H : struct, GemmTile.IHeight
    {
        int whole = count & ~7;
        int squares = depth & ~7;
        nint next = AheadRows * wRow;
        for (int j = 0; j < whole; j += 8)
        {
            Vector256<float> s0 = Vector256.Load(y + j);
            Vector256<float> s1 = H.Rows > 1 ? Vector256.Load(y + yRow + j) : default;
            Vector256<float> s2 = H.Rows > 2 ? Vector256.Load(y + (2 * yRow) + j) : default;
            Vector256<float> s3 = H.Rows > 3 ? Vector256.Load(y + (3 * yRow) + j) : default;
            for (int p = 0; p < squares; p += 4)
            {
                if ((p & 12) == 0)
                {
                    float* line = w + next + p;
                    for (int row = 0; row < 8; row++)
                    {
                        Prefetch.Nearest(line);
                        line += wRow;
                    }
                }

                // Row r in the low half, row r + 4 in the high half; then two rounds of zipping turn 8 rows of 4 into 4 rows of 8.
                float* q = w + p;
                Vector256<float> r0 = Vector256.Create(Vector128.Load(q), Vector128.Load(q + (4 * wRow)));
                Vector256<float> r1 = Vector256.Create(Vector128.Load(q + wRow), Vector128.Load(q + (5 * wRow)));
                Vector256<float> r2 = Vector256.Create(Vector128.Load(q + (2 * wRow)), Vector128.Load(q + (6 * wRow)));
                Vector256<float> r3 = Vector256.Create(Vector128.Load(q + (3 * wRow)), Vector128.Load(q + (7 * wRow)));
                Vector256<double> low01 = Avx.UnpackLow(r0, r1).AsDouble();
                Vector256<double> high01 = Avx.UnpackHigh(r0, r1).AsDouble();
                Vector256<double> low23 = Avx.UnpackLow(r2, r3).AsDouble();
                Vector256<double> high23 = Avx.UnpackHigh(r2, r3).AsDouble();
                Vector256<float> w0 = Avx.UnpackLow(low01, low23).AsSingle();
                Vector256<float> w1 = Avx.UnpackHigh(low01, low23).AsSingle();
                Vector256<float> w2 = Avx.UnpackLow(high01, high23).AsSingle();
                Vector256<float> w3 = Avx.UnpackHigh(high01, high23).AsSingle();
                float* v = x + p;
                s0 = Add(s0, w0, w1, w2, w3, v);
                if (H.Rows > 1) { s1 = Add(s1, w0, w1, w2, w3, v + xRow); }
                if (H.Rows > 2) { s2 = Add(s2, w0, w1, w2, w3, v + (2 * xRow)); }
                if (H.Rows > 3) { s3 = Add(s3, w0, w1, w2, w3, v + (3 * xRow)); }
            }

            s0.Store(y + j);
            if (H.Rows > 1) { s1.Store(y + yRow + j); }
            if (H.Rows > 2) { s2.Store(y + (2 * yRow) + j); }
            if (H.Rows > 3) { s3.Store(y + (3 * yRow) + j); }
            w += 8 * wRow;
        }

        // What is left of k, and of the columns.
        w -= whole * wRow;
        for (int i = 0; i < H.Rows; i++)
        {
            for (int j = squares < depth ? 0 : whole; j < count; j++)
            {
                float sum = y[(i * yRow) + j];
                for (int p = j < whole ? squares : 0; p < depth; p++)
                {
                    sum = MathF.FusedMultiplyAdd(x[(i * xRow) + p], w[(j * wRow) + p], sum);
                }

                y[(i * yRow) + j] = sum;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Add(Vector256<float> sum, Vector256<float> w0, Vector256<float> w1, Vector256<float> w2, Vector256<float> w3, float* v)
    {
        sum = Vector256.FusedMultiplyAdd(Vector256.Create(v[0]), w0, sum);
        sum = Vector256.FusedMultiplyAdd(Vector256.Create(v[1]), w1, sum);
        sum = Vector256.FusedMultiplyAdd(Vector256.Create(v[2]), w2, sum);
        return Vector256.FusedMultiplyAdd(Vector256.Create(v[3]), w3, sum);
    }
}
