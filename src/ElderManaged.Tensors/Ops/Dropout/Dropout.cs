using System.Runtime.InteropServices;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>
    /// Sets each element to zero with the given probability and divides the others by 1 − probability, so that the expectation
    /// stays (inverted dropout). For training only: at inference leave it out.
    /// </summary>
    /// <param name="x">Any shape.</param>
    /// <param name="probability">0 (then <paramref name="x"/> itself comes back and no random number is drawn) to below 1.</param>
    /// <param name="random">Draws the mask: 32 bits for each element, whatever the number of threads.</param>
    /// <remarks>Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 15.</remarks>
    public static Tensor Dropout(Tensor x, float probability, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(random);
        if (!(probability >= 0 && probability < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(probability), probability, $"Dropout: the probability {probability} must be at least 0 and below 1.");
        }

        if (probability == 0)
        {
            return x;
        }

        // One bit an element, 32 to a float of a pooled tensor.
        Tensor mask = Tape.NewTensor(new Shape((x.Length + 31) / 32));
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(mask.Span);
        uint threshold = (uint)(probability * 4294967296.0);
        for (int word = 0; word < bits.Length; word++)
        {
            uint kept = 0;
            for (int pair = 0; pair < 32; pair += 2)
            {
                ulong draw = random.NextBits();
                kept |= (uint)draw >= threshold ? 1u << pair : 0;
                kept |= (uint)(draw >> 32) >= threshold ? 2u << pair : 0;
            }

            bits[word] = kept;
        }

        float scale = 1 / (1 - probability);
        Tensor y = Tape.NewTensor(x.Shape);
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            DropoutGpu.AddKept(gpu, x, mask, scale, y, fresh: true);
        }
        else
        {
            RowBlocks.Run(x.Length, 1, (x, y, mask, scale), static (s, block) =>
            {
                ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(s.mask.Span);
                ReadOnlySpan<float> x = s.x.ReadOnlySpan;
                Span<float> y = s.y.Span;
                for (int i = block.First; i < block.End; i++)
                {
                    y[i] = (bits[i >> 5] >> (i & 31) & 1) != 0 ? x[i] * s.scale : 0;
                }
            });
        }

        return !Tape.Wants(x)
            ? y
            : GradNode.Record("Dropout", y, (x, mask, scale), static (s, y) =>
            {
                if (GpuFeature.IsSupported && s.x.Gpu is { } gpu)
                {
                    Tensor dx = s.x.GradSink(out bool fresh);
                    DropoutGpu.AddKept(gpu, y.Grad!, s.mask, s.scale, dx, fresh);
                    return;
                }

                RowBlocks.Run(y.Length, 1, (dx: s.x.GradSink(), dy: y.Grad!, s.mask, s.scale), static (s, block) =>
                {
                    ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(s.mask.Span);
                    ReadOnlySpan<float> dy = s.dy.ReadOnlySpan;
                    Span<float> dx = s.dx.Span;
                    for (int i = block.First; i < block.End; i++)
                    {
                        dx[i] += (bits[i >> 5] >> (i & 31) & 1) != 0 ? dy[i] * s.scale : 0;
                    }
                });
            });
    }
}

/// <summary>The plain double-precision twin of <see cref="Op.Dropout"/>: the mask drawn from an equal generator.</summary>
internal static class DropoutPlain
{
    public static double[] Forward(double[] x, double probability, RandomSource random)
    {
        bool[] kept = Mask(x.Length, probability, random);
        return x.Select((v, i) => kept[i] ? v / (1 - probability) : 0).ToArray();
    }

    public static double[] Backward(double[] dy, double probability, RandomSource random) => Forward(dy, probability, random);

    // Low half first, whole groups of 32 elements.
    private static bool[] Mask(int length, double probability, RandomSource random)
    {
        bool[] kept = new bool[(length + 31) / 32 * 32];
        for (int i = 0; i < kept.Length; i += 2)
        {
            ulong draw = random.NextBits();
            kept[i] = (draw & 0xFFFFFFFF) / 4294967296.0 >= probability;
            kept[i + 1] = (draw >> 32) / 4294967296.0 >= probability;
        }

        return kept;
    }
}
