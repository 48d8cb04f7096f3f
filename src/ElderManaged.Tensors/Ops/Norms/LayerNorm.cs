namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>
    /// y = gain · (x − μ) / √(σ² + ε) + bias, where μ and σ² are mean and (biased) variance of each row.
    /// </summary>
    /// <param name="x">[…, C]; the last dimension is normalised.</param>
    /// <param name="gain">[C].</param>
    /// <param name="bias">[C].</param>
    /// <param name="epsilon">Keeps the root away from zero, such as 1e-5.</param>
    /// <returns>The shape of <paramref name="x"/>.</returns>
    /// <remarks>Ba, Kiros and Hinton 2016, "Layer Normalization", equation 4, arXiv:1607.06450v1.</remarks>
    public static unsafe Tensor LayerNorm(Tensor x, Tensor gain, Tensor bias, float epsilon)
    {
        RequireColumns(x, gain, "gain");
        RequireColumns(x, bias, "bias");
        Tensor y = Tape.NewTensor(x.Shape);
        bool record = Tape.Wants(x, gain, bias);
        Tensor? moments = record ? Tape.NewTensor(new Shape(x.Rows, 2)) : null; // μ, 1/√(σ² + ε)
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            NormsGpu.Forward(gpu, x, gain, bias, y, moments, epsilon);
        }
        else
        {
            RowBlocks.Run(x.Rows, x.Columns, (x, gain, bias, y, moments, epsilon), static (s, block) =>
            {
                for (int row = block.First; row < block.End; row++)
                {
                    int n = s.x.Columns;
                    long at = (long)row * n;
                    (float mean, float inverse) = LayerNormKernel.Forward(
                        s.x.Pointer + at, s.gain.Pointer, s.bias.Pointer, s.y.Pointer + at, s.epsilon, n);
                    if (s.moments is not null)
                    {
                        s.moments.Pointer[2 * row] = mean;
                        s.moments.Pointer[(2 * row) + 1] = inverse;
                    }
                }
            });
        }

        return !record
            ? y
            : GradNode.Record("LayerNorm", y, (x, gain, bias, moments: moments!), static (s, y) =>
            {
                if (GpuFeature.IsSupported && s.x.Gpu is { } gpu)
                {
                    NormsGpu.Backward(gpu, s.x, s.gain, s.bias, s.moments, y.Grad!, centered: true);
                    return;
                }

                int n = s.x.Columns;
                bool fresh = false;
                Tensor? dx = Tape.Wants(s.x) ? s.x.GradSink(out fresh) : null;
                Tensor? dgain = Tape.Wants(s.gain) ? s.gain.GradSink() : null;
                Tensor? dbias = Tape.Wants(s.bias) ? s.bias.GradSink() : null;

                // The sums over rows for gain and bias: [blocks, C] each.
                bool parameters = dgain is not null || dbias is not null;
                int size = parameters ? RowBlocks.RowsForSums(s.x.Rows, n) : RowBlocks.BlockRows(n);
                int blocks = RowBlocks.Count(s.x.Rows, size);
                FloatBuffer? sums = parameters ? RowBlocks.Scratch(2 * blocks * n) : null;
                RowBlocks.RunOfSize(size, s.x.Rows, (s.x, s.gain, s.moments, dy: y.Grad!, dx, fresh, sums, blocks), static (s, block) =>
                {
                    int n = s.x.Columns;
                    float* dgain = s.sums is null ? null : s.sums.Pointer + ((long)block.Block * n);
                    float* dbias = s.sums is null ? null : dgain + ((long)s.blocks * n);
                    if (dgain != null)
                    {
                        new Span<float>(dgain, n).Clear();
                        new Span<float>(dbias, n).Clear();
                    }

                    for (int row = block.First; row < block.End; row++)
                    {
                        long at = (long)row * n;
                        float* dx = s.dx is null ? null : s.dx.Pointer + at;
                        LayerNormKernel.Backward(
                            s.x.Pointer + at, s.gain.Pointer, s.dy.Pointer + at, s.moments.Pointer[2 * row], s.moments.Pointer[(2 * row) + 1], dx, s.fresh, dgain, dbias, n);
                    }
                });
                if (sums is not null)
                {
                    Reductions.AddBlocks(dgain, sums.Pointer, blocks);
                    Reductions.AddBlocks(dbias, sums.Pointer + ((long)blocks * n), blocks);
                    GC.KeepAlive(sums);
                }
            });
    }
}
