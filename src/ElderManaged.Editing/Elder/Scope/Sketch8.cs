using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Editing.Elder;

/// <summary>A sketch in 8 bits a number with one common scale: x_i ≈ scale · q_i, |q_i| ≤ 127.</summary>
internal sealed class Sketch8
{
    private readonly sbyte[] codes; // padded with zeros to whole vectors
    private readonly float scale;

    public Sketch8(ReadOnlySpan<float> sketch)
    {
        float largest = 0;
        foreach (float x in sketch)
        {
            largest = Math.Max(largest, Math.Abs(x));
        }

        scale = largest / 127;
        codes = new sbyte[Padded(sketch.Length)];
        for (int i = 0; i < sketch.Length && largest > 0; i++)
        {
            codes[i] = (sbyte)Math.Clamp(MathF.Round(sketch[i] / scale), -127f, 127f);
        }
    }

    public ReadOnlySpan<sbyte> Codes => codes;

    public float Scale => scale;

    public static int Padded(int length) => (length + Vector256<sbyte>.Count - 1) / Vector256<sbyte>.Count * Vector256<sbyte>.Count;

    /// <summary>The inner product with an unrounded sketch.</summary>
    public double Dot(ReadOnlySpan<float> sketch)
    {
        double sum = 0;
        for (int i = 0; i < sketch.Length; i++)
        {
            sum += (double)sketch[i] * codes[i];
        }

        return sum * scale;
    }

    /// <summary>The inner product of two padded rows of codes, exact.</summary>
    public static int Dot(ReadOnlySpan<sbyte> a, ReadOnlySpan<sbyte> b)
    {
        ReadOnlySpan<Vector256<sbyte>> left = MemoryMarshal.Cast<sbyte, Vector256<sbyte>>(a);
        ReadOnlySpan<Vector256<sbyte>> right = MemoryMarshal.Cast<sbyte, Vector256<sbyte>>(b);
        Vector256<int> sum = Vector256<int>.Zero;
        for (int i = 0; i < left.Length; i++)
        {
            (Vector256<short> a0, Vector256<short> a1) = Vector256.Widen(left[i]);
            (Vector256<short> b0, Vector256<short> b1) = Vector256.Widen(right[i]);
            // Two products of at most 127² still fit 16 bits: 32,258 < 32,768.
            (Vector256<int> low, Vector256<int> high) = Vector256.Widen((a0 * b0) + (a1 * b1));
            sum += low + high;
        }

        return Vector256.Sum(sum);
    }
}
