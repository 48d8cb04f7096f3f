namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>y = gain · x / √(mean(x²) + ε), the mean taken over each row.</summary>
    /// <param name="x">[…, C]; the last dimension is normalised.</param>
    /// <param name="gain">[C].</param>
    /// <param name="epsilon">Keeps the root away from zero, such as 1e-5.</param>
    /// <returns>The shape of <paramref name="x"/>.</returns>
    /// <remarks>Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", equation 4, arXiv:1910.07467v1.</remarks>
    public static unsafe Tensor RmsNorm(Tensor x, Tensor gain, float epsilon)
    {
        RequireColumns(x, gain, "gain");
        Tensor y = Tape.NewTensor(x.Shape);
        bool record = Tape.Wants(x, gain);
        Tensor? inverses = record ? Tape.NewTensor(new Shape(x.Rows)) : null; // 1/√(mean(x²) + ε)
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            NormsGpu.Forward(gpu, x, gain, null, y, inverses, epsilon);
        }
        else
        {
            RowBlocks.Run(x.Rows, x.Columns, (x, gain, y, inverses, epsilon), static (s, block) =>
            {
                int n = s.x.Columns;
                for (int row = block.First; row < block.End; row++)
                {
                    long at = (long)row * n;
                    float inverse = RmsNormKernel.Forward(s.x.Pointer + at, s.gain.Pointer, s.y.Pointer + at, s.epsilon, n);
                    if (s.inverses is not null)
                    {
                        s.inverses.Pointer[row] = inverse;
                    }
                }
            });
        }

        return !record
            ? y
            : GradNode.Record("RmsNorm", y, (x, gain, inverses: inverses!), static (s, y) =>
            {
                if (GpuFeature.IsSupported && s.x.Gpu is { } gpu)
                {
                    NormsGpu.Backward(gpu, s.x, s.gain, null, s.inverses, y.Grad!, centered: false);
                    return;
                }

                int n = s.x.Columns;
                bool fresh = false;
                Tensor? dx = Tape.Wants(s.x) ? s.x.GradSink(out fresh) : null;
                Tensor? dgain = Tape.Wants(s.gain) ? s.gain.GradSink() : null;
                int size = dgain is null ? RowBlocks.BlockRows(n) : RowBlocks.RowsForSums(s.x.Rows, n);
                int blocks = RowBlocks.Count(s.x.Rows, size);
                FloatBuffer? sums = dgain is null ? null : RowBlocks.Scratch(blocks * n); // [blocks, C]
                RowBlocks.RunOfSize(size, s.x.Rows, (s.x, s.gain, s.inverses, dy: y.Grad!, dx, fresh, sums), static (s, block) =>
                {
                    int n = s.x.Columns;
                    float* dgain = s.sums is null ? null : s.sums.Pointer + ((long)block.Block * n);
                    if (dgain != null)
                    {
                        new Span<float>(dgain, n).Clear();
                    }

                    for (int row = block.First; row < block.End; row++)
                    {
                        long at = (long)row * n;
                        float* dx = s.dx is null ? null : s.dx.Pointer + at;
                        RmsNormKernel.Backward(
                            s.x.Pointer + at, s.gain.Pointer, s.dy.Pointer + at, s.inverses.Pointer[row], dx, s.fresh, dgain, n);
                    }
                });
                if (sums is not null)
                {
                    Reductions.AddBlocks(dgain, sums.Pointer, blocks);
                    GC.KeepAlive(sums);
                }
            });
    }
}
