namespace ElderManaged.Tensors;

/// <summary>A frozen weight in float32, kept only as the panels that the kernels read.</summary>
#pragma warning disable CA1001 // The buffers free themselves with the weight: other threads may still read when a user lets go of it.
internal sealed unsafe class FrozenFloatPanels : FrozenStorage
#pragma warning restore CA1001
{
    private const int Width = GemmKernels.PanelWidth;

    // Panel j holds the outputs 32j … 32j+31 side by side, one row for each input: W[32j + l, p] at (j·In + p)·32 + l.
    private readonly AlignedBuffer _panels;

    public FrozenFloatPanels(ReadOnlySpan<float> w, int outFeatures, int inFeatures, bool transposed)
        : base(outFeatures, inFeatures)
    {
        _panels = new AlignedBuffer(Panels(outFeatures) * (long)Width * inFeatures);
        fixed (float* source = w)
        {
            CpuThreads.Run(Panels(outFeatures), (Weight: this, Source: (nint)source, transposed), static (s, panel) =>
            {
                int o = panel * Width;
                (int outputs, int inputs) = (s.Weight.OutFeatures, s.Weight.InFeatures);
                float* first = (float*)s.Source + (s.transposed ? o : (nint)o * inputs);
                GemmPacking.Panel(!s.transposed, first, s.transposed ? outputs : inputs, inputs, Math.Min(Width, outputs - o), s.Weight._panels.Pointer + ((nint)o * inputs));
            });
        }
    }

    public override StoredNumbers Numbers => StoredNumbers.Float32;

    public override long Bytes => sizeof(float) * _panels.Length;

    public override void Multiply(ReadOnlySpan<float> x, int rows, Span<float> y, ReadOnlySpan<float> bias)
    {
        fixed (float* px = x)
        fixed (float* py = y)
        fixed (float* start = bias)
        {
            if (rows <= FloatPanelRows.MaxRows)
            {
                FloatPanelRows.Multiply(_panels.Pointer, OutFeatures, InFeatures, px, rows, py, start);
            }
            else
            {
                GemmBlocks.MultiplyPacked(px, InFeatures, 1, _panels.Pointer, py, OutFeatures, rows, OutFeatures, InFeatures, accumulate: false, start);
            }
        }

        GC.KeepAlive(this);
    }

    public override void MultiplyTransposed(ReadOnlySpan<float> dy, int rows, Span<float> dx, bool accumulate)
    {
        fixed (float* pdy = dy)
        fixed (float* pdx = dx)
        {
            GemmFromPanels.Multiply(_panels.Pointer, OutFeatures, InFeatures, pdy, rows, pdx, accumulate);
        }

        GC.KeepAlive(this);
    }

    public override bool PanelsInPlace => true;

    public override int PanelsTogether => 1;

    public override float* Panels(SimdLevel level, int first, int count, float* room) => _panels.Pointer + ((nint)first * Width * InFeatures);

    public override GemmBlocks.WantedNext PanelSource(int first, int count)
    {
        nint panel = (nint)Width * InFeatures;
        return new() { First = _panels.Pointer + (first * panel), Step = panel, Pieces = count, Length = panel };
    }

    public override void CopyRow(int outFeature, Span<float> row)
    {
        float* lane = _panels.Pointer + ((nint)(outFeature / Width) * InFeatures * Width) + (outFeature % Width);
        for (int p = 0; p < row.Length; p++)
        {
            row[p] = lane[(nint)p * Width];
        }

        GC.KeepAlive(this);
    }

    public override FrozenCopy CopyTo(GpuDevice gpu)
    {
        GpuMemory memory = gpu.Uploads.Bring(_panels);
        return new FrozenCopy(memory, new FrozenView { Floats = memory.Floats, Outputs = OutFeatures, Inputs = InFeatures }, isFloat: true);
    }

    private static int Panels(int columns) => (columns + Width - 1) / Width;
}
