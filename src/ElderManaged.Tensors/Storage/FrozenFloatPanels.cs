namespace ElderManaged.Tensors;

/// <summary>A frozen weight in float32, kept only as the panels that the kernels read.</summary>
#pragma warning disable CA1001 // The buffers free themselves with the weight: other threads may still read when a user lets go of it.
internal sealed unsafe class FrozenFloatPanels : FrozenStorage
#pragma warning restore CA1001
{
    private const int Width = GemmKernels.PanelWidth;

    // Panel j holds the outputs 32j … 32j+31 side by side, one row for each input: W[32j + l, p] at (j·In + p)·32 + l.
    private readonly AlignedBuffer _byOutputs;
    private readonly Lock _packing = new();

    // The same with the roles exchanged, for dy·W: W[q, 32j + l] at (j·Out + q)·32 + l.
    private volatile AlignedBuffer? _byInputs;

    public FrozenFloatPanels(ReadOnlySpan<float> w, int outFeatures, int inFeatures, bool transposed)
        : base(outFeatures, inFeatures)
    {
        _byOutputs = new AlignedBuffer(Panels(outFeatures) * (long)Width * inFeatures);
        fixed (float* source = w)
        {
            for (int panel = 0; panel < Panels(outFeatures); panel++)
            {
                int o = panel * Width;
                float* first = transposed ? source + o : source + ((nint)o * inFeatures);
                GemmPacking.Panel(!transposed, first, transposed ? outFeatures : inFeatures, inFeatures, Math.Min(Width, outFeatures - o), _byOutputs.Pointer + ((nint)o * inFeatures));
            }
        }
    }

    public override StoredNumbers Numbers => StoredNumbers.Float32;

    public override long Bytes => sizeof(float) * (_byOutputs.Length + (_byInputs?.Length ?? 0));

    public override void Multiply(ReadOnlySpan<float> x, int rows, Span<float> y, bool accumulate)
    {
        fixed (float* px = x)
        fixed (float* py = y)
        {
            GemmBlocks.MultiplyPacked(px, InFeatures, 1, _byOutputs.Pointer, py, OutFeatures, rows, OutFeatures, InFeatures, accumulate);
        }

        GC.KeepAlive(this);
    }

    public override void MultiplyTransposed(ReadOnlySpan<float> dy, int rows, Span<float> dx, bool accumulate)
    {
        AlignedBuffer panels = PanelsByInputs();
        fixed (float* pdy = dy)
        fixed (float* pdx = dx)
        {
            GemmBlocks.MultiplyPacked(pdy, OutFeatures, 1, panels.Pointer, pdx, InFeatures, rows, InFeatures, OutFeatures, accumulate);
        }

        GC.KeepAlive(this);
    }

    public override void CopyRow(int outFeature, Span<float> row)
    {
        float* lane = _byOutputs.Pointer + ((nint)(outFeature / Width) * InFeatures * Width) + (outFeature % Width);
        for (int p = 0; p < row.Length; p++)
        {
            row[p] = lane[(nint)p * Width];
        }

        GC.KeepAlive(this);
    }

    private static int Panels(int columns) => (columns + Width - 1) / Width;

    private AlignedBuffer PanelsByInputs()
    {
        AlignedBuffer? panels = _byInputs;
        if (panels is not null)
        {
            return panels;
        }

        lock (_packing)
        {
            return _byInputs ??= PackByInputs();
        }
    }

    private AlignedBuffer PackByInputs()
    {
        AlignedBuffer panels = new(Panels(InFeatures) * (long)Width * OutFeatures);
        float* lanes = _byOutputs.Pointer;
        for (int panel = 0; panel < Panels(InFeatures); panel++)
        {
            int p0 = panel * Width;
            int inputs = Math.Min(Width, InFeatures - p0);
            float* target = panels.Pointer + ((nint)p0 * OutFeatures);
            for (int o0 = 0; o0 < OutFeatures; o0 += Width)
            {
                // 32 inputs by up to 32 outputs: the transpose of a piece of panel o0/32, whose rows are 32 apart.
                float* piece = lanes + ((nint)o0 * InFeatures) + ((nint)p0 * Width);
                GemmPacking.Panel(true, piece, Width, Math.Min(Width, OutFeatures - o0), inputs, target + ((nint)o0 * Width));
            }
        }

        return panels;
    }
}
