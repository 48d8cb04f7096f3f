namespace ElderManaged.Tensors;

/// <summary>
/// The loops of <see cref="Op.LoraMixture"/>. With h_j = A_j x and c_j = scale · w_j · h_j: y = y0 + Σ_j B_jᵀ c_j.
/// Rows are divided among threads for y and dx; columns of each LoRA for dA and dB, which add up in the order of the rows.
/// </summary>
internal static unsafe class LoraMixtureKernel
{
    /// <summary>Multiply-adds in a microsecond of one thread, roughly.</summary>
    private const double Rate = 30_000;

    /// <summary>Columns of a LoRA worked on for all its rows before the next: 16 rows of them fit the first-level cache.</summary>
    private const int ColumnBlock = 256;

    /// <summary>Columns of y or dx that take all LoRAs of a sequence before the next: 16 rows of them fit the first-level cache.</summary>
    private const int StripColumns = 512;

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
        CpuThreads.AreWorth((double)state.Hidden.Length * (state.A.Columns + state.B.Columns) / Rate);

    private static int Parts(int columns) => (columns + ColumnBlock - 1) / ColumnBlock;

    private static void ForwardBlock(in LoraMixtureState state, int part)
    {
        LoraAllocation.Block block = state.Allocation.Blocks[part];
        (int input, int output) = (state.A.Columns, state.B.Columns);
        nint first = block.Start;
        float* y = state.Y.Pointer + (first * output);
        float* start = state.AddTo is { } addTo ? addTo.Pointer + (first * output) : null;
        (int k, int rank) = (state.Allocation.K, state.A.Shape[1]);
        if (block.Owner < 0 || rank == 0)
        {
            Span<float> target = new(y, block.Count * output);
            if (start == null)
            {
                target.Clear();
            }
            else
            {
                new Span<float>(start, target.Length).CopyTo(target);
            }

            return;
        }

        float* scaled = stackalloc float[block.Count * k * rank];
        for (int j = 0; j < k; j++)
        {
            nint lora = state.Allocation.Indices[(block.Owner * k) + j];
            float factor = state.Scale * state.Weights[block.Owner, j];
            nint at = (nint)j * rank;
            float* hidden = state.Hidden.Pointer + (first * k * rank) + at;
            float* a = state.A.Pointer + (lora * rank * input);
            RowKernels.Products(state.X.Pointer + (first * input), input, block.Count, a, input, rank, input, hidden, (nint)k * rank);
            for (nint i = 0; i < block.Count; i++)
            {
                for (nint p = 0; p < rank; p++)
                {
                    scaled[(i * k * rank) + at + p] = factor * hidden[(i * k * rank) + p];
                }
            }
        }

        // The first LoRA starts from y0, which saves copying it.
        AddLoras(state, block, y, start, scaled, state.B);
    }

    /// <summary>
    /// target[i] = start[i] + Σ_j Σ_p factors[i, j, p] · rows_j[p], over the rows i of a block and the LoRAs j of its owner, strip by strip:
    /// what one LoRA wrote is still in the first-level cache for the next.
    /// </summary>
    private static void AddLoras(in LoraMixtureState state, LoraAllocation.Block block, float* target, float* start, float* factors, Tensor rows)
    {
        (int k, int rank, int columns) = (state.Allocation.K, rows.Shape[1], rows.Columns);
        for (int first = 0; first < columns; first += StripColumns)
        {
            int count = Math.Min(StripColumns, columns - first);
            for (int j = 0; j < k; j++)
            {
                nint lora = state.Allocation.Indices[(block.Owner * k) + j];
                float* y = target + first;
                float* from = j > 0 ? y : start == null ? null : start + first;
                float* row = rows.Pointer + (lora * rank * columns) + first;
                RowKernels.AddProducts(y, columns, block.Count, from, count, factors + ((nint)j * rank), (nint)k * rank, 1, row, columns, rank);
            }
        }
    }

    private static void BackwardBlock(in LoraMixtureState state, int part)
    {
        LoraAllocation.Block block = state.Allocation.Blocks[part];
        (int input, int output) = (state.A.Columns, state.B.Columns);
        (int k, int rank) = (state.Allocation.K, state.A.Shape[1]);
        nint first = block.Start;
        if (block.Owner < 0 || rank == 0)
        {
            if (state.DxIsFresh)
            {
                new Span<float>(state.Dx!.Pointer + (first * input), block.Count * input).Clear();
            }

            return;
        }

        for (int j = 0; j < k; j++)
        {
            nint lora = state.Allocation.Indices[(block.Owner * k) + j];
            float factor = state.Scale * state.Weights[block.Owner, j];
            nint at = ((first * k) + j) * rank;
            float* b = state.B.Pointer + (lora * rank * output);
            RowKernels.Products(
                state.Dy!.Pointer + (first * output), output, block.Count, b, output, rank, output, state.Dhidden!.Pointer + at, (nint)k * rank);
            for (int i = 0; i < block.Count; i++)
            {
                nint row = at + ((nint)i * k * rank);
                float* hidden = state.Hidden.Pointer + row;
                float* dhidden = state.Dhidden.Pointer + row;
                float* scaled = state.Scaled!.Pointer + row;
                float products = 0;
                for (int p = 0; p < rank; p++)
                {
                    products = MathF.FusedMultiplyAdd(hidden[p], dhidden[p], products);
                    dhidden[p] *= factor;
                    scaled[p] = factor * hidden[p];
                }

                state.Products!.Pointer[((first + i) * k) + j] = products;
            }
        }

        if (state.Dx is { } gradient)
        {
            float* dx = gradient.Pointer + (first * input);
            AddLoras(state, block, dx, state.DxIsFresh ? null : dx, state.Dhidden!.Pointer + (first * k * rank), state.A);
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
            float* sums = target.Pointer + ((nint)lora * rank * columns) + first;
            RowKernels.AddProducts(sums, columns, rank, sums, count, factor, 1, (nint)k * rank, row, columns, use.Count);
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
