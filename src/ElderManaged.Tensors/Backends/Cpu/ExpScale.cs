namespace ElderManaged.Tensors;

/// <summary>
/// The common scale 2⁻ˢ of exponentials made by <see cref="SimdMath.ScaledExp"/>, with a whole number s near log₂e times the largest argument: then
/// the largest result is from 0.7 to 1.42, and the scale falls out of every quotient of them.
/// </summary>
internal readonly struct ExpScale
{
    /// <summary>Arguments of this size or more must be made small first, by subtracting the largest one.</summary>
    public const float TooLarge = 1 << 19;

    public ExpScale(float s)
    {
        S = s;
        Least = (s - Bias) * (1 / SimdMath.OneOverLn2);
        Start = SimdMath.Rounder + Bias - s;
    }

    // ScaledExp's polynomial is 2·2ᶠ, so n - s = -126 is the first power of two that it must not have.
    internal const float Bias = 126;

    /// <summary><see cref="Start"/> for s = 0.</summary>
    public const float StartOfZero = SimdMath.Rounder + Bias;

    /// <summary>The exponent of two that was taken out.</summary>
    public float S { get; }

    /// <summary>What is below counts as this, and gives 0.</summary>
    public float Least { get; }

    /// <summary>What rounds x·log₂e to a whole number, when added, and leaves the bits of a float's exponent.</summary>
    public float Start { get; }

    /// <summary>The scale for numbers of which none is above <paramref name="largest"/>.</summary>
    public static ExpScale For(float largest) => new(MathF.Round(largest * SimdMath.OneOverLn2));

    /// <summary>Whether numbers up to this one may be given to <see cref="SimdMath.ScaledExp"/> as they are. Not if it is not a number.</summary>
    public static bool Fits(float largest) => MathF.Abs(largest) < TooLarge;
}
