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

        int[] order = new int[logits.Length];
        float[] keys = new float[logits.Length];
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i;
            keys[i] = -logits[i];
        }

        Array.Sort(keys, order);
        int kept = options.TopK > 0 ? Math.Min(options.TopK, order.Length) : order.Length;
        double[] weights = new double[kept];
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
                return order[i];
            }
        }

        return order[kept - 1];
    }
}
