using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>
/// Attention of one sequence and one key/value head at a time: such a part writes only columns of its own (also of the
/// gradients of keys and values), so parts may run on any thread.
/// </summary>
internal static unsafe class AttentionKernel
{
    // Below so many multiply-adds, waking a thread costs more than it saves.
    private const long WorthThreads = 1 << 17;

    public static void Run(AttentionState state, bool backward)
    {
        SequenceLayout layout = state.Layout;
        int parts = layout.Count * state.KvHeads;
        long work = 0;
        for (int s = 0; s < layout.Count; s++)
        {
            work += (long)layout.Lengths[s] * (layout.Past[s] + layout.Lengths[s]) * state.Q.Columns;
        }

        if (work >= WorthThreads)
        {
            if (backward)
            {
                CpuThreads.Run(parts, state, static (s, part) => Backward(s, part));
            }
            else
            {
                CpuThreads.Run(parts, state, static (s, part) => Forward(s, part));
            }

            return;
        }

        for (int part = 0; part < parts; part++)
        {
            if (backward)
            {
                Backward(state, part);
            }
            else
            {
                Forward(state, part);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Forward(in AttentionState state, int part)
    {
        Part p = new(state, part);
        float* weights = RowBlocks.Scratch(Padded(p.Past + p.Length)).Pointer;
        float* y = state.Y.Pointer;
        fixed (float* pastKeys = p.PastKeys)
        fixed (float* pastValues = p.PastValues)
        {
            for (int h = p.FirstHead; h < p.FirstHead + p.Group; h++)
            {
                for (int t = 0; t < p.Length; t++)
                {
                    float* q = p.Q + ((p.Start + t) * p.QueryStride) + (h * p.Width);
                    int count = p.Past + t + 1;
                    p.Against(q, pastKeys, p.K, t, weights);
                    float largest = p.Scale * TensorPrimitives.Max<float>(new ReadOnlySpan<float>(weights, count));
                    Exponentials(weights, count, p.Scale, largest);
                    float inverse = 1 / Reductions.Sum(weights, count);
                    TensorPrimitives.Multiply(new ReadOnlySpan<float>(weights, count), inverse, new Span<float>(weights, count));

                    float* target = y + ((p.Start + t) * p.QueryStride) + (h * p.Width);
                    new Span<float>(target, p.Width).Clear();
                    p.Combine(weights, pastValues, p.V, t, target);
                    if (state.Statistics is { } statistics)
                    {
                        float* saved = statistics.Pointer + (((((p.Start + t) * (nint)state.Heads) + h)) * 2);
                        saved[0] = largest;
                        saved[1] = inverse;
                    }
                }
            }
        }
    }

    /// <summary>
    /// With s_p = q·k_p/√D, w = softmax(s), y = Σ_p w_p v_p:
    /// dv_p += w_p dy,  dw_p = dy·v_p,  ds_p = w_p (dw_p − Σ_o w_o dw_o),  dq += Σ_p ds_p k_p/√D,  dk_p += ds_p q/√D.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Backward(in AttentionState state, int part)
    {
        Part p = new(state, part);
        int room = Padded(p.Past + p.Length);
        int own = p.Length * p.Width;
        float* weights = RowBlocks.Scratch((2 * room) + (2 * own)).Pointer;
        float* slopes = weights + room;

        // Sums for dk and dv side by side: in the tensors, rows a power of two apart would hinder each other in the cache.
        float* sumK = slopes + room;
        float* sumV = sumK + own;
        new Span<float>(sumK, 2 * own).Clear();
        fixed (float* pastKeys = p.PastKeys)
        fixed (float* pastValues = p.PastValues)
        {
            for (int h = p.FirstHead; h < p.FirstHead + p.Group; h++)
            {
                for (int t = 0; t < p.Length; t++)
                {
                    nint at = ((p.Start + t) * p.QueryStride) + (h * p.Width);
                    float* q = p.Q + at;
                    float* dy = state.Dy!.Pointer + at;
                    int count = p.Past + t + 1;
                    float* saved = state.Statistics!.Pointer + ((((p.Start + t) * (nint)state.Heads) + h) * 2);

                    // The weights again, by the same steps as forward.
                    p.Against(q, pastKeys, p.K, t, weights);
                    Span<float> row = new(weights, count);
                    Exponentials(weights, count, p.Scale, saved[0]);
                    TensorPrimitives.Multiply(row, saved[1], row);

                    if (state.Dv is not null)
                    {
                        RowKernels.AddOuter(sumV, p.Width, t + 1, weights + p.Past, dy, p.Width);
                    }

                    p.Against(dy, pastValues, p.V, t, slopes);
                    float mean = Reductions.Dot(weights, slopes, count);
                    Span<float> slope = new(slopes, count);
                    TensorPrimitives.Subtract(slope, mean, slope);
                    TensorPrimitives.Multiply(slope, row, slope);
                    TensorPrimitives.Multiply(slope, p.Scale, slope);
                    if (state.Dq is { } dq)
                    {
                        p.Combine(slopes, pastKeys, p.K, t, dq.Pointer + at);
                    }

                    if (state.Dk is not null)
                    {
                        RowKernels.AddOuter(sumK, p.Width, t + 1, slopes + p.Past, q, p.Width);
                    }
                }
            }
        }

        AddTo(state.Dk, sumK, p);
        AddTo(state.Dv, sumV, p);
    }

    private static void AddTo(Tensor? gradient, float* sum, in Part p)
    {
        for (int t = 0; gradient is not null && t < p.Length; t++)
        {
            float* row = gradient.Pointer + ((p.Start + t) * p.KeyStride) + (p.KvHead * p.Width);
            Reductions.AddTo(row, sum + (t * p.Width), p.Width);
        }
    }

    /// <summary>x ← exp(scale · x − largest); writes the last group of sixteen whole.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Exponentials(float* x, int count, float scale, float largest)
    {
        new Span<float>(x + count, Padded(count) - count).Clear();
        for (int i = 0; i < count; i += 16)
        {
            SimdMath.Exp<Lanes512, Vector512<float>>((Vector512.Load(x + i) * scale) - Vector512.Create(largest)).Store(x + i);
        }
    }

    private static int Padded(int count) => (count + 15) & -16;

    /// <summary>One sequence and one key/value head.</summary>
    private readonly ref struct Part
    {
        public Part(in AttentionState state, int part)
        {
            int sequence = part / state.KvHeads;
            KvHead = part % state.KvHeads;
            Group = state.Heads / state.KvHeads;
            FirstHead = KvHead * Group;
            Width = state.Q.Columns / state.Heads;
            Scale = 1 / MathF.Sqrt(Width);
            QueryStride = state.Q.Columns;
            KeyStride = state.K.Columns;
            Start = state.Layout.Starts[sequence];
            Length = state.Layout.Lengths[sequence];
            Past = state.Layout.Past[sequence];
            Q = state.Q.Pointer;
            K = state.K.Pointer + (Start * KeyStride) + (KvHead * Width);
            V = state.V.Pointer + (Start * KeyStride) + (KvHead * Width);
            PastKeys = Past == 0 ? default : state.Past![sequence]!.Keys[(KvHead * Width)..];
            PastValues = Past == 0 ? default : state.Past![sequence]!.Values[(KvHead * Width)..];
        }

        public int KvHead { get; }

        public int Group { get; }

        public int FirstHead { get; }

        public int Width { get; }

        public float Scale { get; }

        public nint QueryStride { get; }

        public nint KeyStride { get; }

        public nint Start { get; }

        public int Length { get; }

        public int Past { get; }

        public float* Q { get; }

        public float* K { get; }

        public float* V { get; }

        public ReadOnlySpan<float> PastKeys { get; }

        public ReadOnlySpan<float> PastValues { get; }

        /// <summary>results[p] = x · row p, over the past and the rows up to <paramref name="t"/>.</summary>
        public void Against(float* x, float* past, float* rows, int t, float* results)
        {
            RowKernels.Dots(x, past, KeyStride, Past, Width, results);
            RowKernels.Dots(x, rows, KeyStride, t + 1, Width, results + Past);
        }

        /// <summary>target += Σ_p factors[p] · row p: the past first, then the rows up to <paramref name="t"/>.</summary>
        public void Combine(float* factors, float* past, float* rows, int t, float* target)
        {
            RowKernels.AddCombination(target, Width, factors, 1, past, KeyStride, Past);
            RowKernels.AddCombination(target, Width, factors + Past, 1, rows, KeyStride, t + 1);
        }
    }
}
