namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>The target of rows that <see cref="CrossEntropy"/> leaves out, as in the common frameworks.</summary>
    public const int IgnoredTarget = -100;

    /// <summary>
    /// The mean negative log-likelihood of the targets: (1/n) Σ_r (log Σ_j exp(x[r, j]) − x[r, target_r]) over the n rows
    /// whose target is not <see cref="IgnoredTarget"/>. One number.
    /// </summary>
    /// <param name="logits">x: [R, V].</param>
    /// <param name="targets">R column numbers, or <see cref="IgnoredTarget"/>. Not copied: must not change until the tape ends.</param>
    /// <param name="overwriteLogits">
    /// Lets the backward pass write the gradient over the logits of a tape, which saves memory and a third of its traffic. Then they must not be
    /// read any more once it ran, neither by the caller nor by ops recorded before.
    /// </param>
    /// <exception cref="ArgumentException">All rows are ignored (the mean of nothing), or a target is not a column.</exception>
    public static Tensor CrossEntropy(Tensor logits, int[] targets, bool overwriteLogits = false)
    {
        int counted = RequireTargets("CrossEntropy", logits, targets);
        if (counted == 0)
        {
            throw new ArgumentException($"CrossEntropy: all {targets.Length} targets are {IgnoredTarget} (ignored); the mean over no rows is not defined.");
        }

        Tensor rows = NumbersOfRows(logits, targets);
        Tensor mean = Tape.NewTensor(new Shape(1));
        if (GpuFeature.IsSupported && logits.Gpu is { } gpu)
        {
            SumGpu.Sum(gpu, CrossEntropyGpu.LossesIn(gpu, rows), 1f / counted, gpu.Write(mean));
        }
        else
        {
            double sum = 0;
            for (int r = 0; r < targets.Length; r++)
            {
                sum += rows[r, 2];
            }

            mean.Span[0] = (float)(sum / counted);
        }

        return !Tape.Wants(logits)
            ? mean
            : GradNode.Record("CrossEntropy", mean, (logits, targets, rows, counted, overwriteLogits), static (s, mean) =>
            {
                // mean_r (log Σ exp(x_r) − x_r[target])  →  dx_r = (softmax(x_r) − onehot(target)) / n
                bool fresh = s.overwriteLogits && s.logits.TryShareGradient(s.logits);
                Tensor dx = fresh ? s.logits.Grad! : s.logits.GradSink(out fresh);
                AddCrossEntropyGradient(s.logits, s.targets, s.rows, mean.Grad!, 1f / s.counted, dx, fresh);
            });
    }

    /// <summary>
    /// The negative log-likelihood of every row's target, log Σ_j exp(x[r, j]) − x[r, target_r], and 0 where the target is <see cref="IgnoredTarget"/>. [R].
    /// </summary>
    /// <param name="logits">x: [R, V].</param>
    /// <param name="targets">R column numbers, or <see cref="IgnoredTarget"/>. Not copied: must not change until the tape ends.</param>
    /// <exception cref="ArgumentException">A target is not a column.</exception>
    public static Tensor CrossEntropyOfRows(Tensor logits, int[] targets)
    {
        RequireTargets("CrossEntropyOfRows", logits, targets);
        Tensor rows = NumbersOfRows(logits, targets);
        Tensor losses = Tape.NewTensor(new Shape(targets.Length));
        if (GpuFeature.IsSupported && logits.Gpu is { } gpu)
        {
            gpu.Copy(CrossEntropyGpu.LossesIn(gpu, rows), gpu.Write(losses));
        }
        else
        {
            for (int r = 0; r < targets.Length; r++)
            {
                losses.Span[r] = rows[r, 2];
            }
        }

        return !Tape.Wants(logits)
            ? losses
            : GradNode.Record("CrossEntropyOfRows", losses, (logits, targets, rows), static (s, losses) =>
            {
                // log Σ exp(x_r) − x_r[target]  →  dx_r = dℓ_r (softmax(x_r) − onehot(target))
                Tensor dx = s.logits.GradSink(out bool fresh);
                AddCrossEntropyGradient(s.logits, s.targets, s.rows, losses.Grad!, 1, dx, fresh);
            });
    }

    /// <summary>
    /// The loss of every row, and whether its target is the largest logit (<see cref="ArgMax"/>); never recorded. Ignored
    /// rows get 0 and false.
    /// </summary>
    /// <param name="logits">[R, V].</param>
    /// <param name="targets">R column numbers, or <see cref="IgnoredTarget"/>.</param>
    /// <param name="losses">Room for R losses, or empty if not wanted.</param>
    /// <param name="argmaxHits">Room for R answers, or empty if not wanted.</param>
    public static unsafe void TokenLosses(Tensor logits, int[] targets, Span<float> losses, Span<bool> argmaxHits)
    {
        RequireTargets("TokenLosses", logits, targets);
        if ((losses.Length != 0 && losses.Length < targets.Length) || (argmaxHits.Length != 0 && argmaxHits.Length < targets.Length))
        {
            throw new ArgumentException($"TokenLosses: {targets.Length} rows, but room for {losses.Length} losses and {argmaxHits.Length} hits; give room for all, or none.");
        }

        if (GpuFeature.IsSupported && logits.Gpu is { } gpu)
        {
            if (losses.Length != 0)
            {
                NumbersOfRows(logits, targets).ReadOnlySpan.Slice(2 * logits.Rows, logits.Rows).CopyTo(losses);
            }

            if (argmaxHits.Length != 0)
            {
                int[] largest = new int[logits.Rows];
                ArgMaxOfRows(logits, largest);
                for (int r = 0; r < largest.Length; r++)
                {
                    argmaxHits[r] = targets[r] != IgnoredTarget && largest[r] == targets[r];
                }
            }

            return;
        }

        fixed (float* loss = losses)
        fixed (bool* hit = argmaxHits)
        {
            RowBlocks.Run(logits.Rows, logits.Columns, (logits, targets, loss: (nint)loss, hit: (nint)hit), static (s, block) =>
            {
                float* values = stackalloc float[3];
                for (int r = block.First; r < block.End; r++)
                {
                    if (s.loss != 0)
                    {
                        float* x = s.logits.Pointer + ((long)r * s.logits.Columns);
                        CrossEntropyKernel.Forward(x, s.logits.Columns, s.targets[r], values);
                        ((float*)s.loss)[r] = values[2];
                    }

                    if (s.hit != 0)
                    {
                        ((bool*)s.hit)[r] = s.targets[r] != IgnoredTarget && ArgMax(s.logits.Row(r)) == s.targets[r];
                    }
                }
            });
        }
    }

    // For each row its largest logit, the inverse of Σ exp(x − largest), and its loss, [R, 4]; a GPU keeps a fourth number, and lays them otherwise, see there.
    private static unsafe Tensor NumbersOfRows(Tensor logits, int[] targets)
    {
        Tensor rows = Tape.NewTensor(new Shape(logits.Rows, 4));
        if (GpuFeature.IsSupported && logits.Gpu is { } gpu)
        {
            CrossEntropyGpu.Losses(gpu, logits, targets, rows);
            return rows;
        }

        RowBlocks.Run(logits.Rows, logits.Columns, (logits, targets, rows), static (s, block) =>
        {
            for (int r = block.First; r < block.End; r++)
            {
                int n = s.logits.Columns;
                float* x = s.logits.Pointer + ((long)r * n);
                CrossEntropyKernel.Forward(x, n, s.targets[r], s.rows.Pointer + (4 * r));
            }
        });
        return rows;
    }

    // dx_r (+)= dy·factor·(softmax(x_r) − onehot(target)), dy one number for all rows or one for each.
    private static unsafe void AddCrossEntropyGradient(Tensor logits, int[] targets, Tensor rows, Tensor dy, float factor, Tensor dx, bool fresh)
    {
        if (GpuFeature.IsSupported && logits.Gpu is { } gpu)
        {
            CrossEntropyGpu.AddGradient(gpu, logits, targets, rows, dy, factor, dx, fresh);
            return;
        }

        RowBlocks.Run(logits.Rows, logits.Columns, (logits, targets, rows, dy, factor, dx, fresh), static (s, block) =>
        {
            for (int r = block.First; r < block.End; r++)
            {
                int n = s.logits.Columns;
                long at = (long)r * n;
                float slope = s.dy[s.dy.Length == 1 ? 0 : r] * s.factor;
                CrossEntropyKernel.AddGradient(s.logits.Pointer + at, n, s.targets[r], s.rows.Pointer + (4 * r), slope, s.dx.Pointer + at, s.fresh);
            }
        });
    }

    /// <summary>Checks the targets; returns how many are not ignored.</summary>
    private static int RequireTargets(string op, Tensor logits, int[] targets)
    {
        ArgumentNullException.ThrowIfNull(logits);
        return RequireTargets(op, logits.Shape, targets);
    }

    private static int RequireTargets(string op, Shape logits, int[] targets)
    {
        ArgumentNullException.ThrowIfNull(targets);
        if (logits.Rank != 2 || logits[0] != targets.Length)
        {
            throw new ArgumentException($"{op}: the logits {logits} must be [{targets.Length}, vocabulary], one row for each target.");
        }

        int counted = 0;
        for (int r = 0; r < targets.Length; r++)
        {
            if (targets[r] == IgnoredTarget)
            {
                continue;
            }

            if ((uint)targets[r] >= (uint)logits[1])
            {
                throw new ArgumentException($"{op}: target {targets[r]} of row {r} is neither a column of the logits {logits} nor {IgnoredTarget} (ignored).");
            }

            counted++;
        }

        return counted;
    }
}
