using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>
/// y = x·Wᵀ for one to four rows of x and a W in panels of 32 outputs: the time is that of reading W, so the panels are walked as
/// <see cref="PanelStreams"/> shows. The chains of <see cref="Gemm"/>.
/// </summary>
internal static unsafe class FloatPanelRows
{
    /// <summary>The most rows of x.</summary>
    public const int MaxRows = 4;

    private const int Width = GemmKernels.PanelWidth;

    // Multiply-adds in a microsecond of one thread, counted as if there were eight rows.
    private const int Rate = 50_000;

    /// <summary>y (rows, outputs) ← x (rows, inputs)·Wᵀ (+ bias, which may be null), W[32j + l, p] at panels + (j·inputs + p)·32 + l.</summary>
    public static void Multiply(float* panels, int outputs, int inputs, float* x, int rows, float* y, float* bias)
    {
        Product product = new() { Level = Simd.Level, Panels = panels, Inputs = inputs, Outputs = outputs, X = x, Rows = rows, Y = y, Bias = bias };
        int threads = CpuThreads.AreWorth((double)outputs * inputs * 8 / Rate) ? CpuThreads.Count : 1;
        product.Parts = PanelStreams.Parts(product.PanelCount, threads);
        CpuThreads.Run(product.Parts, product, static (p, part) => p.Compute(part));
    }

    private struct Product
    {
        public SimdLevel Level;
        public float* Panels;
        public int Outputs;
        public int Inputs;
        public float* X;
        public int Rows;
        public float* Y;
        public float* Bias;
        public int Parts;

        public readonly int PanelCount => (Outputs + Width - 1) / Width;

        public readonly void Compute(int part)
        {
            float* room = stackalloc float[(PanelStreams.Most * MaxRows * Width) + PanelStreams.InLine];
            float* sums = PanelStreams.FirstInLine(room);
            PanelSums y = new(Y, Outputs, Rows, Width);
            int end = PanelStreams.FirstPanel(part + 1, Parts, PanelCount);
            for (int panel = PanelStreams.FirstPanel(part, Parts, PanelCount), together; panel < end; panel += together)
            {
                together = PanelStreams.Together(end - panel);
                y.Begin(panel, together, sums, Bias);
                Walk(panel, together, sums);
                y.End(panel, together, sums);
            }
        }

        private readonly void Walk(int panel, int together, float* sums)
        {
            nint panelLength = (nint)Inputs * Width;
            float* first = Panels + (panel * panelLength);
            int blocks = PanelStreams.Blocks(Inputs, Width * sizeof(float), together);
            for (int block = 0, k = 0, depth; block < blocks; block++, k += depth)
            {
                depth = (int)((long)Inputs * (block + 1) / blocks) - k;
                float* next = first + (block + 1 < blocks ? (nint)(k + depth) * Width : together * panelLength);
                PanelStreams ahead = new((byte*)next, panelLength * sizeof(float), together);
                for (int i = 0; i < together; i++)
                {
                    Add(first + (i * panelLength) + ((nint)k * Width), depth, X + k, sums + (i * Rows * Width), ahead.Of(i, (nint)depth * Width * sizeof(float)));
                }
            }
        }

        private readonly void Add(float* w, int depth, float* x, float* sums, PanelStreams ahead)
        {
            switch (Level)
            {
                case SimdLevel.Vector512: Add<Lanes512, Vector512<float>>(w, depth, x, sums, ahead); break;
                case SimdLevel.Vector256: Add<Lanes256, Vector256<float>>(w, depth, x, sums, ahead); break;
                case SimdLevel.Vector128: Add<Lanes128, Vector128<float>>(w, depth, x, sums, ahead); break;
                default: Add<Lanes1, float>(w, depth, x, sums, ahead); break;
            }
        }

        private readonly void Add<L, V>(float* w, int depth, float* x, float* sums, PanelStreams ahead)
            where L : struct, ILanes<V>
            where V : struct
        {
            for (int lane = 0; lane < Width; lane += 2 * L.Width)
            {
                switch (Rows)
                {
                    case 1: Add<L, V, GemmTile.H1>(w + lane, depth, x, Inputs, sums + lane, ahead); break;
                    case 2: Add<L, V, GemmTile.H2>(w + lane, depth, x, Inputs, sums + lane, ahead); break;
                    case 3: Add<L, V, GemmTile.H3>(w + lane, depth, x, Inputs, sums + lane, ahead); break;
                    default: Add<L, V, GemmTile.H4>(w + lane, depth, x, Inputs, sums + lane, ahead); break;
                }
            }
        }

        // Some rows by two registers of outputs.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Add<L, V, H>(float* w, int depth, float* x, nint xRow, float* sums, PanelStreams ahead)
            where L : struct, ILanes<V>
            where V : struct
            where H : struct, GemmTile.IHeight
        {
            V l0, r0, l1, r1, l2, r2, l3, r3;
            l1 = r1 = l2 = r2 = l3 = r3 = L.Broadcast(0f);
            (l0, r0) = (L.Load(sums), L.Load(sums + L.Width));
            if (H.Rows > 1) { (l1, r1) = (L.Load(sums + Width), L.Load(sums + Width + L.Width)); }
            if (H.Rows > 2) { (l2, r2) = (L.Load(sums + (2 * Width)), L.Load(sums + (2 * Width) + L.Width)); }
            if (H.Rows > 3) { (l3, r3) = (L.Load(sums + (3 * Width)), L.Load(sums + (3 * Width) + L.Width)); }

            float* x1 = x + xRow;
            float* x2 = x1 + xRow;
            float* x3 = x2 + xRow;
            for (int k = 0; k < depth; k++, w += Width)
            {
                if ((k & 1) == 0)
                {
                    ahead.Fetch(); // two inputs are four lines
                }

                V bl = L.Load(w);
                V br = L.Load(w + L.Width);
                { V a = L.Broadcast(x[k]); l0 = L.Fma(a, bl, l0); r0 = L.Fma(a, br, r0); }
                if (H.Rows > 1) { V a = L.Broadcast(x1[k]); l1 = L.Fma(a, bl, l1); r1 = L.Fma(a, br, r1); }
                if (H.Rows > 2) { V a = L.Broadcast(x2[k]); l2 = L.Fma(a, bl, l2); r2 = L.Fma(a, br, r2); }
                if (H.Rows > 3) { V a = L.Broadcast(x3[k]); l3 = L.Fma(a, bl, l3); r3 = L.Fma(a, br, r3); }
            }

            L.Store(sums, l0); L.Store(sums + L.Width, r0);
            if (H.Rows > 1) { L.Store(sums + Width, l1); L.Store(sums + Width + L.Width, r1); }
            if (H.Rows > 2) { L.Store(sums + (2 * Width), l2); L.Store(sums + (2 * Width) + L.Width, r2); }
            if (H.Rows > 3) { L.Store(sums + (3 * Width), l3); L.Store(sums + (3 * Width) + L.Width, r3); }
        }
    }
}
