using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

internal static unsafe class RopeKernel
{
    /// <summary>Forward: y = rotated x. Backward: y += x rotated back, where x is dy and y is dx.</summary>
    public static void Run(Tensor x, Tensor y, ReadOnlySpan<int> positions, RopeState state, bool backward)
    {
        fixed (int* pinned = positions)
        {
            RowBlocks.Run(x.Rows, x.Columns, (x, y, positions: (nint)pinned, state.Table, state.HeadWidth, state.Interleaved, backward), static (s, block) =>
            {
                int half = s.HeadWidth / 2;
                int* positions = (int*)s.positions;
                for (int row = block.First; row < block.End; row++)
                {
                    float* cos = s.Table.Cos.Pointer + ((long)positions[row] * half);
                    float* sin = s.Table.Sin.Pointer + ((long)positions[row] * half);
                    float* from = s.x.Pointer + ((long)row * s.x.Columns);
                    float* to = s.y.Pointer + ((long)row * s.x.Columns);
                    for (int head = 0; head < s.x.Columns; head += s.HeadWidth)
                    {
                        if (s.Interleaved)
                        {
                            Pairs(from + head, to + head, cos, sin, half, s.backward);
                        }
                        else
                        {
                            Halves(from + head, to + head, cos, sin, half, s.backward);
                        }
                    }
                }
            });
        }
    }

    // (a, b) turned by an angle is (a·cos − b·sin, b·cos + a·sin); backwards, sin changes its sign.
    private static void Halves(float* x, float* y, float* cos, float* sin, int half, bool backward)
    {
        Vector512<float> sign = Vector512.Create(backward ? -1f : 1f);
        int i = 0;
        for (; i <= half - 16; i += 16)
        {
            Vector512<float> a = Vector512.Load(x + i);
            Vector512<float> b = Vector512.Load(x + half + i);
            Vector512<float> c = Vector512.Load(cos + i);
            Vector512<float> s = Vector512.Load(sin + i) * sign;
            Vector512<float> first = Vector512.FusedMultiplyAdd(a, c, -(b * s));
            Vector512<float> second = Vector512.FusedMultiplyAdd(b, c, a * s);
            if (backward)
            {
                first += Vector512.Load(y + i);
                second += Vector512.Load(y + half + i);
            }

            first.Store(y + i);
            second.Store(y + half + i);
        }

        for (; i < half; i++)
        {
            Turn(x[i], x[half + i], y + i, y + half + i, cos[i], sin[i], backward);
        }
    }

    private static void Pairs(float* x, float* y, float* cos, float* sin, int half, bool backward)
    {
        for (int i = 0; i < half; i++)
        {
            Turn(x[2 * i], x[(2 * i) + 1], y + (2 * i), y + (2 * i) + 1, cos[i], sin[i], backward);
        }
    }

    private static void Turn(float a, float b, float* first, float* second, float cos, float sin, bool backward)
    {
        float s = backward ? -sin : sin;
        float turnedA = MathF.FusedMultiplyAdd(a, cos, -(b * s));
        float turnedB = MathF.FusedMultiplyAdd(b, cos, a * s);
        *first = backward ? *first + turnedA : turnedA;
        *second = backward ? *second + turnedB : turnedB;
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
