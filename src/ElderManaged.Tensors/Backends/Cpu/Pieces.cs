using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ElderManaged.Tensors;

/// <summary>
/// A function of a ≥ 0 that is nothing beyond <see cref="End"/>, as sixteen polynomials of the fifth degree: for smooth functions as near as a float can be,
/// in half the steps of an exponential with a division, and in a shorter chain of them.
/// </summary>
/// <remarks>
/// <code>
///   f │╲              piece n is centred at n·Step, a = n·Step + r:   c0[n] + r·(c1[n] + r·(… + r·c5[n]))
///     │ ╲_            the c of all pieces lie side by side, c0[0..15], c1[0..15], …: an AVX-512 register holds sixteen floats,
///     │   ╲___        and one instruction picks for each lane the one of its piece.
///     └┴──┴──┴──┴─ a
///      0  1  2  …     Piece 0 is exact at 0; the last piece is 0, and what is larger counts as its centre.
/// </code>
/// </remarks>
internal static unsafe class Pieces
{
    /// <summary>From one piece's centre to the next: few digits, so that n·Step and a − n·Step are exact.</summary>
    public const float Step = 25f / 64;

    /// <summary>From here on the function counts as 0.</summary>
    public const float End = (Count - 1) * Step;

    private const int Count = 16, Degree = 5;

    /// <summary>How many coefficients a function has.</summary>
    public const int Length = (Degree + 1) * Count;

    /// <summary>Memory for the coefficients of some functions, one after the other; lines of the cache are whole. Never given back.</summary>
    public static float* Allocate(int functions) => (float*)NativeMemory.AlignedAlloc((nuint)functions * Length * sizeof(float), Count * sizeof(float));

    /// <summary>Computes the coefficients of a function: those of the polynomials that agree with it at the zeros of a Chebyshev polynomial.</summary>
    public static void Fill(float* coefficients, Func<double, double> function)
    {
        for (int piece = 0; piece < Count; piece++)
        {
            double[] polynomial = piece == Count - 1 ? new double[Degree + 1] : Interpolate(function, piece);
            for (int power = 0; power <= Degree; power++)
            {
                coefficients[(power * Count) + piece] = (float)polynomial[power];
            }
        }
    }

    /// <summary>The function at a ≥ 0; not a number where a is not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V At<L, V>(float* coefficients, V a)
        where L : struct, ILanes<V>
        where V : struct
    {
        V rounder = L.Broadcast(SimdMath.Rounder);
        a = L.Min(L.Broadcast(End), a);
        V number = L.Fma(a, L.Broadcast(1 / Step), rounder); // the piece, in the lowest bits
        V r = L.Fma(L.Subtract(number, rounder), L.Broadcast(-Step), a);
        V p = L.Pick(coefficients + (Degree * Count), number);
        p = L.Fma(p, r, L.Pick(coefficients + (4 * Count), number));
        p = L.Fma(p, r, L.Pick(coefficients + (3 * Count), number));
        p = L.Fma(p, r, L.Pick(coefficients + (2 * Count), number));
        p = L.Fma(p, r, L.Pick(coefficients + Count, number));
        return L.Fma(p, r, L.Pick(coefficients, number));
    }

    // Newton's divided differences, multiplied out.
    private static double[] Interpolate(Func<double, double> function, int piece)
    {
        const int Points = Degree + 1;
        double[] at = new double[Points], difference = new double[Points], polynomial = new double[Points];
        for (int i = 0; i < Points; i++)
        {
            // From -Step/2 to Step/2; the first piece begins at 0, and has it as a point.
            at[i] = piece > 0 ? Step / 2 * Math.Cos(Math.PI * (i + 0.5) / Points)
                : i == 0 ? 0
                : Step / 4 * (1 + Math.Cos(Math.PI * (i - 0.5) / Degree));
            difference[i] = function(((double)piece * Step) + at[i]);
        }

        for (int order = 1; order < Points; order++)
        {
            for (int i = Points - 1; i >= order; i--)
            {
                difference[i] = (difference[i] - difference[i - 1]) / (at[i] - at[i - order]);
            }
        }

        for (int i = Points - 1; i >= 0; i--)
        {
            // polynomial ← polynomial·(r − at[i]) + difference[i]
            for (int power = Points - 1; power > 0; power--)
            {
                polynomial[power] = polynomial[power - 1] - (at[i] * polynomial[power]);
            }

            polynomial[0] = difference[i] - (at[i] * polynomial[0]);
        }

        return polynomial;
    }
}
