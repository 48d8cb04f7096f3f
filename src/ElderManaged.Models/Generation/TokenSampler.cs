using System.Buffers;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Generation;

/// <summary>Chooses the next token from logits.</summary>
public static class TokenSampler
{
    /// <summary>The most likely token, or one drawn after temperature, top-k and top-p.</summary>
    public static int Choose(ReadOnlySpan<float> logits, GenerationOptions options, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(random);
        if (options.Temperature <= 0)
        {
            return Op.ArgMax(logits);
        }

        // Rented, because this is done for every token.
        int n = logits.Length;
        int[] order = ArrayPool<int>.Shared.Rent(n);
        float[] keys = ArrayPool<float>.Shared.Rent(n);
        double[] weights = ArrayPool<double>.Shared.Rent(n);
        try
        {
            for (int i = 0; i < n; i++)
            {
                order[i] = i;
                keys[i] = -logits[i];
            }

            Array.Sort(keys, order, 0, n);
            return order[Draw(keys, weights.AsSpan(0, options.TopK > 0 ? Math.Min(options.TopK, n) : n), options, random)];
        }
        finally
        {
            ArrayPool<int>.Shared.Return(order);
            ArrayPool<float>.Shared.Return(keys);
            ArrayPool<double>.Shared.Return(weights);
        }
    }

    /// <summary>The place of the drawn token among those that are kept, most likely ones first.</summary>
    private static int Draw(float[] keys, Span<double> weights, GenerationOptions options, RandomSource random)
    {
        int kept = weights.Length;
        double sum = 0;
        for (int i = 0; i < kept; i++)
        {
            weights[i] = Math.Exp((keys[0] - keys[i]) / options.Temperature);
            sum += weights[i];
        }

        if (options.TopP < 1)
        {
            double reached = 0;
            for (int i = 0; i < kept; i++)
            {
                reached += weights[i];
                if (reached >= options.TopP * sum)
                {
                    kept = i + 1;
                    sum = reached;
                    break;
                }
            }
        }

        double draw = random.NextDouble() * sum;
        for (int i = 0; i < kept; i++)
        {
            draw -= weights[i];
            if (draw < 0)
            {
                return i;
            }
        }

        return kept - 1;
    }
}
