using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>Losses of rows and their slopes, dℓ/dx, in one reading of a frozen projection W [V, D].</summary>
/// <remarks>
/// <code>
///   W    ┌──────┬──────┬──────┬─ …      A block of outputs stays in the second-level cache while it is used twice:
///        │ block│ next │      │          x·Wᵀ gives the block's logits l, and with e = exp(l − m), m the largest logit so far,
///        └──────┴──────┴──────┴─ …      e·W is added to the slopes' sums. Meanwhile the next block comes from memory.
///         └ segment: ~64 panels ┘       Where m grows, what was summed up is scaled down.
/// </code>
/// <para>
/// Segments of fixed size have sums of their own, which are added up in their order: neither the number of threads nor who computed what
/// shows in the bits. With the target t's logit kept apart and o = Σ_{j≠t} e_j, d = exp(l_t − m):
/// ℓ = log(1 + o/d) and dℓ/dx = (Σ_{j≠t} e_j w_j − o·w_t) / (o + d), so that a sure prediction keeps its digits.
/// </para>
/// <para>The running maximum is that of M. Milakov and N. Gimelshein, "Online normalizer calculation for softmax", 2018.</para>
/// </remarks>
internal static unsafe class LinearCrossEntropyKernel
{
    private const int Width = GemmKernels.PanelWidth;

    // Floats of a block of W: 384 KB, so that it, the next one and the sums share the second-level cache.
    private const int BlockFloats = 96 * 1024;

    // Panels of 32 outputs in a segment, about: few enough for many threads, enough that adding up the segments costs little.
    private const int SegmentPanels = 64;

    // Rows that share a reading of W. With more of them the time is that of the multiplications, and their sums would not fit the cache.
    private const int MaxRows = 64;

    // Inputs of a part when the segments are added up.
    private const int MergedInputs = 64;

    // exp of less than this is left out: beside the largest, 1, it is nothing, and with small weights its products would be subnormal, which is slow.
    private const float Negligible = -70;

    [ThreadStatic]
    private static AlignedBuffer? t_shared;

    [ThreadStatic]
    private static AlignedBuffer? t_own;

    [ThreadStatic]
    private static AlignedBuffer? t_unpacked;

    /// <summary>Fills losses [rows] and slopes [rows, D]; zeros for an ignored row.</summary>
    /// <param name="weight">W.</param>
    /// <param name="x">[rows, D].</param>
    /// <param name="rows">How many.</param>
    /// <param name="targets">For each row an output of W, or <see cref="Op.IgnoredTarget"/>.</param>
    /// <param name="losses">[rows].</param>
    /// <param name="slopes">[rows, D].</param>
    public static void Run(FrozenStorage weight, float* x, int rows, int* targets, float* losses, float* slopes)
    {
        int inputs = weight.InFeatures;
        for (int row = 0; row < rows; row += MaxRows)
        {
            Losses work = new(weight, x + ((nint)row * inputs), Math.Min(MaxRows, rows - row), targets + row, losses + row, slopes + ((nint)row * inputs));
            CpuThreads.Run(work.Segments, work, static (w, segment) => w.AddSegment(segment));
            work.Finish();
            CpuThreads.Run((inputs + MergedInputs - 1) / MergedInputs, work, static (w, part) => w.Merge(part));
        }
    }

    private readonly struct Losses
    {
        private readonly SimdLevel level;
        private readonly FrozenStorage weight;
        private readonly float* x, losses, slopes;
        private readonly int* targets;
        private readonly int rows, lanes, inputs, panels, panelsOfBlock, panelsOfSegment;

        // For each segment: Σ e·W with a row in each lane [lanes / 32, D, 32], and for each row the largest logit (later the segment's factor) and Σ e.
        private readonly float* sums, largest;
        private readonly double* others;

        // For each row: its target's row of W [D], its target's logit, and what its sums are divided by.
        private readonly float* targetRows, targetLogits;

        public Losses(FrozenStorage weight, float* x, int rows, int* targets, float* losses, float* slopes)
        {
            (level, this.weight, this.rows) = (Simd.Level, weight, rows);
            this.x = x;
            this.targets = targets;
            this.losses = losses;
            this.slopes = slopes;
            inputs = weight.InFeatures;
            lanes = (rows + Width - 1) / Width * Width;
            panels = (weight.OutFeatures + Width - 1) / Width;
            int unit = weight.PanelsTogether;
            panelsOfBlock = Math.Max(1, BlockFloats / (Width * unit * inputs)) * unit;
            panelsOfSegment = Math.Max(1, SegmentPanels / panelsOfBlock) * panelsOfBlock;
            Segments = (panels + panelsOfSegment - 1) / panelsOfSegment;
            long all = (long)Segments * lanes;
            float* memory = AlignedBuffer.Rent(ref t_shared, (all * (inputs + 3)) + ((long)rows * (inputs + 1)));
            others = (double*)memory;
            largest = memory += 2 * all;
            sums = memory += all;
            targetRows = memory += all * inputs;
            targetLogits = memory + ((nint)rows * inputs);
        }

        public int Segments { get; }

        private float* SumsOf(int segment) => sums + ((nint)segment * lanes * inputs);

        /// <summary>Logits and sums of a segment's outputs.</summary>
        public void AddSegment(int segment)
        {
            int first = segment * panelsOfSegment, end = Math.Min(panels, first + panelsOfSegment);
            nint stride = (nint)panelsOfBlock * Width;
            float* logits = AlignedBuffer.Rent(ref t_own, stride * (rows + lanes));
            float* turned = logits + (stride * rows);
            float* room = weight.PanelsInPlace ? null : AlignedBuffer.Rent(ref t_unpacked, stride * inputs);
            float* most = largest + (segment * lanes);
            double* sum = others + (segment * lanes);
            new Span<float>(most, lanes).Fill(float.MinValue);
            new Span<double>(sum, lanes).Clear();
            float* factors = stackalloc float[MaxRows];
            for (int panel = first; panel < end; panel += panelsOfBlock)
            {
                int count = Math.Min(panelsOfBlock, end - panel);
                int outputs = Math.Min(count * Width, weight.OutFeatures - (panel * Width));
                float* w = weight.Panels(level, panel, count, room);

                // One half of the next block is fetched with each of the two products.
                int after = Math.Min(panel + count, panels - 1);
                GemmBlocks.WantedNext next = weight.PanelSource(after, Math.Min(panelsOfBlock, panels - after));
                GemmBlocks.MultiplyPacked(x, inputs, 1, w, logits, stride, rows, outputs, inputs, accumulate: false, next: next.Part(0, 1, 2));
                bool scale = false;
                new Span<float>(factors, lanes).Fill(1);
                for (int r = 0; r < rows; r++)
                {
                    float* row = logits + (r * stride);
                    SetTargetApart(r, targets[r] - (panel * Width), outputs, row, w);
                    factors[r] = Weigh(row, outputs, ref most[r], ref sum[r]);
                    scale |= factors[r] != 1;
                }

                if (scale && panel > first)
                {
                    Scale(SumsOf(segment), factors);
                }

                // Whole panels, then the rest of the last one.
                int whole = outputs / Width * Width;
                AddProduct(w, logits, stride, whole, turned, SumsOf(segment), panel > first, next.Part(1, 2, 2));
                AddProduct(w + ((nint)whole * inputs), logits + whole, stride, outputs - whole, turned, SumsOf(segment), panel > first || whole > 0, default);
            }
        }

        /// <summary>The losses, and by what the segments are multiplied to be added up.</summary>
        public void Finish()
        {
            for (int r = 0; r < rows; r++)
            {
                float most = float.MinValue;
                for (int s = 0; s < Segments; s++)
                {
                    most = Math.Max(most, largest[(s * lanes) + r]);
                }

                double other = 0;
                for (int s = 0; s < Segments; s++)
                {
                    float factor = MathF.Exp(largest[(s * lanes) + r] - most);
                    largest[(s * lanes) + r] = factor;
                    other += others[(s * lanes) + r] * factor;
                }

                double below = targetLogits[r] - (double)most;
                double own = Math.Exp(below);
                bool counts = targets[r] != Op.IgnoredTarget;
                losses[r] = !counts ? 0 : (float)(below > -700 ? Math.Log(1 + (other / own)) : Math.Log(other) - below);

                // In the first segment's place: o and 1 / (o + d).
                others[r] = counts ? other : 0;
                targetLogits[r] = counts ? (float)(1 / (other + own)) : 0;
            }
        }

        /// <summary>The slopes of some inputs.</summary>
        public void Merge(int part)
        {
            int first = part * MergedInputs, count = Math.Min(MergedInputs, inputs - first);
            for (int lane = 0; lane < rows; lane += 16)
            {
                nint at = ((nint)(lane / Width) * inputs * Width) + (lane % Width) + ((nint)first * Width);
                for (int s = 1; s < Segments; s++)
                {
                    AddScaled(SumsOf(0) + at, s == 1 ? largest + lane : null, SumsOf(s) + at, largest + (s * lanes) + lane, count);
                }
            }

            for (int r = 0; r < rows; r++)
            {
                float* sum = SumsOf(0) + ((nint)(r / Width) * inputs * Width) + ((nint)first * Width) + (r % Width);
                float* slope = slopes + ((nint)r * inputs) + first, own = targetRows + ((nint)r * inputs) + first;
                (float over, float other) = (targetLogits[r], (float)(others[r] * targetLogits[r]));
                bool counts = targets[r] != Op.IgnoredTarget;
                for (int p = 0; p < count; p++)
                {
                    slope[p] = counts ? (sum[p * Width] * over) - (other * own[p]) : 0;
                }
            }
        }

        // The target's logit and weights are kept where they lie in this block; its exponential is left out of the sums.
        private void SetTargetApart(int row, int target, int outputs, float* logits, float* w)
        {
            if (target >= 0 && target < outputs)
            {
                targetLogits[row] = logits[target];
                logits[target] = float.NegativeInfinity;
                float* own = targetRows + ((nint)row * inputs);
                float* lane = w + ((nint)(target / Width) * inputs * Width) + (target % Width);
                for (int p = 0; p < inputs; p++)
                {
                    own[p] = lane[(nint)p * Width];
                }
            }
        }

        // sums += e·W of some outputs, of which e is turned first: a row in each lane.
        private void AddProduct(float* w, float* e, nint stride, int outputs, float* turned, float* into, bool accumulate, in GemmBlocks.WantedNext next)
        {
            if (outputs == 0)
            {
                return;
            }

            for (int r = 0; r < rows; r += Width)
            {
                GemmPacking.Panel(true, e + (r * stride), stride, outputs, Math.Min(Width, rows - r), turned + ((nint)r * outputs));
            }

            GemmFromPanels.AddTurned(level, w, inputs, rows, outputs, turned, into, accumulate, next);
        }

        private void Scale(float* into, float* factors)
        {
            for (int lane = 0; lane < rows; lane += 16)
            {
                Vector512<float> factor = Vector512.Load(factors + lane);
                float* at = into + ((nint)(lane / Width) * inputs * Width) + (lane % Width);
                for (int p = 0; p < inputs; p++, at += Width)
                {
                    (factor * Vector512.Load(at)).Store(at);
                }
            }
        }
    }

    /// <summary>
    /// Replaces a row's logits by e = exp(l − largest) and adds them to its sum, after raising the largest. Returns by what has to be multiplied what was
    /// summed up before.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Weigh(float* row, int count, ref float largest, ref double sum)
    {
        // Up to the end of a register: there is room for it.
        int end = (count + 15) & -16;
        new Span<float>(row + count, end - count).Fill(float.NegativeInfinity);
        Vector512<float> most = Vector512.Create(float.NegativeInfinity);
        for (int i = 0; i < end; i += 16)
        {
            most = Lanes512.Max(most, Vector512.Load(row + i));
        }

        float before = largest;
        largest = Math.Max(before, Reductions.Largest(most));
        Vector512<float> subtracted = Vector512.Create(largest), negligible = Vector512.Create(Negligible), total = default;
        for (int i = 0; i < end; i += 16)
        {
            Vector512<float> below = Vector512.Load(row + i) - subtracted;
            Vector512<float> e = SimdMath.Exp<Lanes512, Vector512<float>>(below);
            e = Vector512.ConditionalSelect(Vector512.LessThan(below, negligible), default, e); // what is not a number stays so
            e.Store(row + i);
            total += e;
        }

        float factor = MathF.Exp(before - largest);
        sum = (sum * factor) + Reductions.Fold(total);
        return factor;
    }

    // sums (·= own, where that is given) += factors · further, sixteen lanes of some inputs.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddScaled(float* sums, float* own, float* further, float* factors, int inputs)
    {
        Vector512<float> factor = Vector512.Load(factors), first = own == null ? Vector512<float>.One : Vector512.Load(own);
        for (int p = 0; p < inputs; p++)
        {
            Vector512.FusedMultiplyAdd(factor, Vector512.Load(further), first * Vector512.Load(sums)).Store(sums);
            sums += Width;
            further += Width;
        }
    }
}
