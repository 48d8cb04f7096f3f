namespace ElderManaged.Tensors;

/// <summary>
/// The loops of <see cref="Op.LoraMixture"/>. With h_j = A_j x and c_j = scale · w_j · h_j: y = y0 + Σ_j B_jᵀ c_j.
/// Rows are divided among threads for y and dx; columns of each LoRA for dA and dB, which add up in the order of the rows.
/// </summary>
internal static unsafe class LoraMixtureKernel
{
    /// <summary>With fewer multiply-adds, waking a thread costs more than it saves.</summary>
    private const long WorthThreads = 1 << 17;

    /// <summary>Columns of a LoRA worked on for all its rows before the next: 16 rows of them fit the first-level cache.</summary>
    private const int ColumnBlock = 256;

    public static void Forward(in LoraMixtureState state)
    {
        if (IsWorthThreads(state))
        {
            CpuThreads.Run(state.Allocation.Blocks.Length, state, static (s, part) => ForwardBlock(s, part));
            return;
        }

        for (int part = 0; part < state.Allocation.Blocks.Length; part++)
        {
            ForwardBlock(state, part);
        }
    }

    /// <summary>
    /// g_j = B_j dy;  dw_j += scale · Σ_rows h_j·g_j;  dh_j = scale · w_j · g_j;  dx += Σ_j A_jᵀ dh_j;
    /// dA_j += Σ_rows dh_j xᵀ;  dB_j += Σ_rows c_j dyᵀ.
    /// </summary>
    public static void Backward(in LoraMixtureState state)
    {
        bool threads = IsWorthThreads(state);
        int blocks = state.Allocation.Blocks.Length;
        int columnParts = (state.Da is null ? 0 : Parts(state.A.Columns)) + (state.Db is null ? 0 : Parts(state.B.Columns));
        int loraParts = (state.Allocation.Largest + 1) * columnParts;
        if (threads)
        {
            CpuThreads.Run(blocks, state, static (s, part) => BackwardBlock(s, part));
            CpuThreads.Run(loraParts, state, static (s, part) => BackwardColumns(s, part));
        }
        else
        {
            for (int part = 0; part < blocks; part++)
            {
                BackwardBlock(state, part);
            }

            for (int part = 0; part < loraParts; part++)
            {
                BackwardColumns(state, part);
            }
        }

        AddWeightGradient(state);
    }

    private static bool IsWorthThreads(in LoraMixtureState state) =>
        (long)state.Hidden.Length * (state.A.Columns + state.B.Columns) >= WorthThreads;

    private static int Parts(int columns) => (columns + ColumnBlock - 1) / ColumnBlock;

    private static void ForwardBlock(in LoraMixtureState state, int part)
    {
        LoraAllocation.Block block = state.Allocation.Blocks[part];
        (int input, int output) = (state.A.Columns, state.B.Columns);
        float* y = state.Y.Pointer + ((nint)block.Start * output);
        Span<float> target = new(y, block.Count * output);
        if (state.AddTo is { } addTo)
        {
            addTo.Span.Slice(block.Start * output, target.Length).CopyTo(target);
        }
        else
        {
            target.Clear();
        }

        if (block.Owner < 0)
        {
            return;
        }

        (int k, int rank) = (state.Allocation.K, state.A.Shape[1]);
        float* scaled = stackalloc float[rank];
        for (int j = 0; j < k; j++)
        {
            nint lora = state.Allocation.Indices[(block.Owner * k) + j];
            float factor = state.Scale * state.Weights[block.Owner, j];
            float* a = state.A.Pointer + (lora * rank * input);
            float* b = state.B.Pointer + (lora * rank * output);
            for (int i = 0; i < block.Count; i++)
            {
                nint row = block.Start + i;
                float* hidden = state.Hidden.Pointer + (((row * k) + j) * rank);
                RowKernels.Dots(state.X.Pointer + (row * input), a, input, rank, input, hidden);
                for (int p = 0; p < rank; p++)
                {
                    scaled[p] = factor * hidden[p];
                }

                RowKernels.AddCombination(y + (i * (nint)output), output, scaled, 1, b, output, rank);
            }
        }
    }

    private static void BackwardBlock(in LoraMixtureState state, int part)
    {
        LoraAllocation.Block block = state.Allocation.Blocks[part];
        if (block.Owner < 0)
        {
            return;
        }

        (int input, int output) = (state.A.Columns, state.B.Columns);
        (int k, int rank) = (state.Allocation.K, state.A.Shape[1]);
        for (int j = 0; j < k; j++)
        {
            nint lora = state.Allocation.Indices[(block.Owner * k) + j];
            float factor = state.Scale * state.Weights[block.Owner, j];
            float* a = state.A.Pointer + (lora * rank * input);
            float* b = state.B.Pointer + (lora * rank * output);
            for (int i = 0; i < block.Count; i++)
            {
                nint row = block.Start + i;
                nint at = ((row * k) + j) * rank;
                float* hidden = state.Hidden.Pointer + at;
                float* dhidden = state.Dhidden!.Pointer + at;
                float* scaled = state.Scaled!.Pointer + at;
                RowKernels.Dots(state.Dy!.Pointer + (row * output), b, output, rank, output, dhidden);
                float products = 0;
                for (int p = 0; p < rank; p++)
                {
                    products = MathF.FusedMultiplyAdd(hidden[p], dhidden[p], products);
                    dhidden[p] *= factor;
                    scaled[p] = factor * hidden[p];
                }

                if (state.Dx is { } dx)
                {
                    RowKernels.AddCombination(dx.Pointer + (row * input), input, dhidden, 1, a, input, rank);
                }

                state.Products!.Pointer[(row * k) + j] = products;
            }
        }
    }

    /// <summary>dA or dB of one LoRA in one block of columns, over all rows that use it.</summary>
    private static void BackwardColumns(in LoraMixtureState state, int part)
    {
        int partsA = state.Da is null ? 0 : Parts(state.A.Columns);
        int partsB = state.Db is null ? 0 : Parts(state.B.Columns);
        int lora = part / (partsA + partsB);
        int columnBlock = part % (partsA + partsB);
        bool isA = columnBlock < partsA;
        Tensor target = isA ? state.Da! : state.Db!;
        Tensor rows = isA ? state.X : state.Dy!;
        Tensor factors = isA ? state.Dhidden! : state.Scaled!;
        (int k, int rank, int columns) = (state.Allocation.K, state.A.Shape[1], rows.Columns);
        int first = (isA ? columnBlock : columnBlock - partsA) * ColumnBlock;
        int count = Math.Min(ColumnBlock, columns - first);
        foreach (LoraAllocation.Use use in state.Allocation.Uses(lora))
        {
            float* factor = factors.Pointer + ((((nint)use.Start * k) + use.J) * rank);
            float* row = rows.Pointer + ((nint)use.Start * columns) + first;
            for (int p = 0; p < rank; p++)
            {
                float* sum = target.Pointer + ((((nint)lora * rank) + p) * columns) + first;
                RowKernels.AddCombination(sum, count, factor + p, (nint)k * rank, row, columns, use.Count);
            }
        }
    }

    private static void AddWeightGradient(in LoraMixtureState state)
    {
        if (state.Dweights is not { } dweights)
        {
            return;
        }

        int k = state.Allocation.K;
        ReadOnlySpan<int> owners = state.Allocation.RowOwner;
        ReadOnlySpan<float> products = state.Products!.Span;
        Span<float> sums = dweights.Span;
        for (int row = 0; row < owners.Length; row++)
        {
            for (int j = 0; owners[row] >= 0 && j < k; j++)
            {
                sums[(owners[row] * k) + j] += state.Scale * products[(row * k) + j];
            }
        }
    }
}
