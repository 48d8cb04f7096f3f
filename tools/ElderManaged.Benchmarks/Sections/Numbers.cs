using ElderManaged.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>Random operands, and the check that both sides compute the same.</summary>
internal static class Numbers
{
    /// <summary>A tensor of numbers between -scale and scale, the same for the same seed.</summary>
    public static Tensor Random(Shape shape, ulong seed = 1, float scale = 1)
    {
        Tensor tensor = new(shape);
        Fill(tensor.Span, seed, scale);
        return tensor;
    }

    public static void Fill(Span<float> values, ulong seed, float scale)
    {
        // xorshift64* (Vigna 2016): hundreds of millions of numbers, so one multiplication each.
        ulong state = (seed * 0x9E3779B97F4A7C15UL) | 1;
        for (int i = 0; i < values.Length; i++)
        {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            values[i] = ((long)(state * 0x2545F4914F6CDD1DUL) >> 32) * (scale / 2147483648f);
        }
    }

    /// <summary>Throws if the largest difference is more than <paramref name="tolerance"/> of the largest number.</summary>
    public static void RequireSame(string name, ReadOnlySpan<float> ours, ReadOnlySpan<float> peer, double tolerance)
    {
        const int Piece = 4096;
        Span<float> apart = stackalloc float[Piece];
        float largest = 0, difference = 0; // NaN wins over every number
        for (int start = 0; start < ours.Length; start += Piece)
        {
            ReadOnlySpan<float> theirs = peer.Slice(start, Math.Min(Piece, ours.Length - start));
            Span<float> d = apart[..theirs.Length];
            TensorPrimitives.Subtract(ours.Slice(start, d.Length), theirs, d);
            largest = MathF.Max(largest, MathF.Abs(TensorPrimitives.MaxMagnitude(theirs)));
            difference = MathF.Max(difference, MathF.Abs(TensorPrimitives.MaxMagnitude<float>(d)));
        }

        if (!(difference <= tolerance * largest))
        {
            throw new InvalidOperationException($"{name}: ours and the peer's results differ by {difference:G3}, the largest number is {largest:G3}; what is compared must be the same computation.");
        }
    }

    /// <summary>dense (rows, columns) → (columns, rows), in tiles that fit the caches.</summary>
    public static Tensor Transpose(Tensor dense)
    {
        (int rows, int columns) = (dense.Shape[0], dense.Shape[1]);
        Tensor result = new(new Shape(columns, rows));
        const int Tile = 32;
        Span<float> to = result.Span;
        ReadOnlySpan<float> from = dense.Span;
        for (int r0 = 0; r0 < rows; r0 += Tile)
        {
            for (int c0 = 0; c0 < columns; c0 += Tile)
            {
                for (int r = r0; r < Math.Min(rows, r0 + Tile); r++)
                {
                    for (int c = c0; c < Math.Min(columns, c0 + Tile); c++)
                    {
                        to[(c * rows) + r] = from[(r * columns) + c];
                    }
                }
            }
        }

        return result;
    }
}
