using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>
/// A frozen weight kept in its stored format, never wider: rearranged into panels of 64 outputs whose words the kernels turn into
/// float32 in registers (few rows), or block by block into a float panel in the cache (many rows, and dy·W). See WordFormats.cs.
/// </summary>
#pragma warning disable CA1001 // The buffer frees itself with the weight: other threads may still read when a user lets go of it.
internal sealed unsafe partial class FrozenWordPanels : FrozenStorage
#pragma warning restore CA1001
{
    /// <summary>Outputs of a panel.</summary>
    public const int Lanes = 64;

    // Up to this many rows, weights are decoded in registers for every four rows; above, once into the cache.
    private const int FewRows = 8;

    // k of one unpacked block, a multiple of every group: with 256 columns 384 KB of floats, in the second-level cache.
    private const int UnpackedDepth = 384;
    private const int UnpackedColumns = 256;

    private const int Width = GemmKernels.PanelWidth;

    [ThreadStatic]
    private static AlignedBuffer? t_unpacked;

    private readonly StoredNumbers _numbers;
    private readonly AlignedBuffer _words;
    private readonly nint _panelBytes;

    // Panels with an infinite or undefined float16 take the plain decoding, which knows them.
    private readonly bool[] _special;

    // Panels that do not take the fastest decoding, because it would round some weight twice (see HighNibbleCodes).
    private readonly bool[] _rounded;

    public FrozenWordPanels(StoredNumbers numbers, int outFeatures, int inFeatures)
        : base(outFeatures, inFeatures)
    {
        _numbers = numbers;
        _layout = WordLayout.Of(numbers);
        _panelBytes = _layout.Offset(inFeatures + (_layout.GroupLength == 0 ? inFeatures % 2 : 0));
        int panels = (outFeatures + Lanes - 1) / Lanes;
        _special = new bool[panels];
        _rounded = new bool[panels];

        // The loads of narrow codes reach up to three bytes beyond their words.
        _words = new AlignedBuffer((panels * (long)_panelBytes / sizeof(float)) + 16);
        if (outFeatures % Lanes != 0)
        {
            byte* last = Panel(panels - 1);
            new Span<byte>(last, checked((int)_panelBytes)).Clear();
        }
    }

    private readonly WordLayout _layout;

    public override StoredNumbers Numbers => _numbers;

    public override long Bytes => sizeof(float) * _words.Length;

    public override void Multiply(ReadOnlySpan<float> x, int rows, Span<float> y, ReadOnlySpan<float> bias)
    {
        fixed (float* px = x)
        fixed (float* py = y)
        fixed (float* start = bias)
        {
            Product work = new() { Weight = this, Level = Simd.Level, X = px, Y = py, Rows = rows, Bias = start };
            int panels = _special.Length;
            if (rows <= FewRows && InFeatures % 2 == 0)
            {
                work.Parts = PanelStreams.Parts(panels, CpuThreads.Count);
                CpuThreads.Run(work.Parts, work, static (w, part) => w.Weight.MultiplyFewRows(w, part));
            }
            else
            {
                work.PanelsPerPart = PartSize(panels, UnpackedColumns / Lanes);
                CpuThreads.Run((panels + work.PanelsPerPart - 1) / work.PanelsPerPart, work, static (w, part) => w.Weight.MultiplyUnpacked(w, part));
            }
        }

        GC.KeepAlive(this);
    }

    public override bool PanelsInPlace => false;

    public override int PanelsTogether => Lanes / Width;

    public override float* Panels(SimdLevel level, int first, int count, float* room)
    {
        for (int panel = first; panel < first + count; panel += PanelsTogether)
        {
            Unpack(level, panel / PanelsTogether, 0, InFeatures, room + ((nint)(panel - first) * Width * InFeatures));
        }

        return room;
    }

    public override GemmBlocks.WantedNext PanelSource(int first, int count) => new()
    {
        First = (float*)Panel(first / PanelsTogether),
        Step = _panelBytes / sizeof(float),
        Pieces = (count + PanelsTogether - 1) / PanelsTogether,
        Length = _panelBytes / sizeof(float),
    };

    public override void CopyRow(int outFeature, Span<float> row)
    {
        _layout.CopyTo(Panel(outFeature / Lanes), outFeature % Lanes, row);
        GC.KeepAlive(this);
    }

    public override FrozenCopy CopyTo(GpuDevice gpu)
    {
        GpuMemory memory = gpu.Uploads.Bring(_words);
        FrozenView view = _layout.View(checked((int)(_panelBytes / sizeof(uint))));
        (view.Words, view.Outputs, view.Inputs) = (memory.Words, OutFeatures, InFeatures);
        return new FrozenCopy(memory, view, isFloat: false);
    }

    // Several parts for each thread, so that one that is held up does not hold up all.
    private static int PartSize(int pieces, int most)
    {
        int threads = CpuThreads.Count;
        return threads == 1 ? Math.Min(pieces, most) : Math.Clamp(pieces / (threads * 4), 1, most);
    }

    private byte* Panel(int panel) => (byte*)_words.Pointer + (panel * _panelBytes);

    // The panels of a part, up to four together (see PanelStreams), their sums beside each other on the stack.
    private void MultiplyFewRows(in Product work, int part)
    {
        float* room = stackalloc float[(PanelStreams.Most * FewRows * Lanes) + PanelStreams.InLine];
        float* sums = PanelStreams.FirstInLine(room);
        PanelSums y = new(work.Y, OutFeatures, work.Rows, Lanes);
        int end = PanelStreams.FirstPanel(part + 1, work.Parts, _special.Length);
        for (int panel = PanelStreams.FirstPanel(part, work.Parts, _special.Length), together; panel < end; panel += together)
        {
            if (_special[panel])
            {
                together = 1;
                MultiplyBlocks(work, panel, panel + 1);
                continue;
            }

            together = PanelStreams.Together(OrdinaryFrom(panel, end));
            y.Begin(panel, together, sums, work.Bias);
            Walk(work, panel, together, 0, InFeatures, sums);
            y.End(panel, together, sums);
        }
    }

    // Some panels from one on, in blocks: each adds to its sums, rows times 64 of y, or those of the inputs of dx.
    private void Walk(in Product work, int panel, int together, int firstInput, int inputs, float* sums)
    {
        float* minima = stackalloc float[(2 * Lanes) + PanelStreams.InLine];
        nint rowsOfPanel = (nint)work.Rows * Lanes;
        WordWork piece = new() { Rows = work.Rows, FromRow = InFeatures, Minima = PanelStreams.FirstInLine(minima) };
        var kernel = work.Back ? WordDispatch.AddBack(work.Level, _numbers, !_rounded[panel]) : WordDispatch.Multiply(work.Level, _numbers, !_rounded[panel]);
        int unit = _layout.GroupLength == 0 ? _layout.InWord : _layout.GroupLength;
        nint unitBytes = _layout.Offset(unit);
        int units = (inputs + unit - 1) / unit;
        int blocks = PanelStreams.Blocks(units, unitBytes, together);
        byte* at = Panel(panel) + _layout.Offset(firstInput);
        byte* nextPanels = at + (together * _panelBytes);
        for (int block = 0, done = 0; block < blocks; block++)
        {
            int count = (int)((long)units * (block + 1) / blocks) - done;
            int k = done * unit;
            (piece.Groups, piece.GroupLength) = _layout.GroupLength == 0 ? (1, count * unit) : ((nint)count, unit);
            PanelStreams ahead = new(block + 1 < blocks ? at + (count * unitBytes) : nextPanels, _panelBytes, together);
            for (int i = 0; i < together; i++)
            {
                piece.Group = at + (i * _panelBytes);
                piece.From = work.Back ? work.X + ((panel + i) * rowsOfPanel) : work.X + k;
                piece.Sums = work.Back ? sums + ((nint)k * work.Rows * WideSums.Chains) : sums + (i * rowsOfPanel);
                piece.Ahead = ahead.Of(i, count * unitBytes);
                kernel(&piece);
            }

            at += count * unitBytes;
            done += count;
        }
    }

    // How many panels from one on have finite numbers only, and take the same decoding; at most as many as are walked together.
    private int OrdinaryFrom(int panel, int end)
    {
        int count = 1;
        while (count < PanelStreams.Most && panel + count < end && !_special[panel + count] && _rounded[panel + count] == _rounded[panel])
        {
            count++;
        }

        return count;
    }

    private void MultiplyUnpacked(in Product work, int part) =>
        MultiplyBlocks(work, part * work.PanelsPerPart, Math.Min(_special.Length, (part + 1) * work.PanelsPerPart));

    // Panels first … end of y: for each block of k, unpack and multiply as float32.
    private void MultiplyBlocks(in Product work, int first, int end)
    {
        float* block = AlignedBuffer.Rent(ref t_unpacked, (long)(end - first) * Lanes * UnpackedDepth);
        int columns = Math.Min(OutFeatures, end * Lanes) - (first * Lanes);
        float* bias = work.Bias == null ? null : work.Bias + (first * Lanes);
        for (int k = 0; k < InFeatures; k += UnpackedDepth)
        {
            int depth = Math.Min(UnpackedDepth, InFeatures - k);
            for (int panel = first; panel < end; panel++)
            {
                Unpack(work.Level, panel, k, depth, block + ((panel - first) * (nint)Lanes * depth));
            }

            // While this block is multiplied, the words of the next one come from memory: further along k, or of the next panels.
            int nextK = k + depth < InFeatures ? k + depth : 0;
            GemmBlocks.WantedNext next = new()
            {
                First = (float*)(Panel(nextK > 0 ? first : end) + _layout.Offset(nextK)),
                Step = _panelBytes / sizeof(float),
                Pieces = end - first,
                Length = _layout.Offset(Math.Min(UnpackedDepth, InFeatures - nextK) & ~1) / sizeof(float),
            };
            GemmBlocks.MultiplyPacked(work.X + k, InFeatures, 1, block, work.Y + (first * Lanes), OutFeatures, work.Rows, columns, depth, accumulate: k > 0, bias, next);
            bias = null;
        }
    }

    // Two panels of 32 columns and depth rows, from k on.
    private void Unpack(SimdLevel level, int panel, int k, int depth, float* target)
    {
        byte* words = Panel(panel);
        if (_special[panel])
        {
            for (int lane = 0; lane < Lanes; lane++)
            {
                float* column = target + (lane / Width * (nint)depth * Width) + (lane % Width);
                for (int p = 0; p < depth; p++)
                {
                    column[(nint)p * Width] = _layout.Value(words, lane, k + p);
                }
            }

            return;
        }

        _layout.Groups(depth, out nint groups, out int groupLength);
        WordDispatch.Unpack(level, _numbers, !_rounded[panel])(words + _layout.Offset(k), groups, groupLength, depth, target);
    }

    private struct Product
    {
        public FrozenWordPanels Weight;
        public SimdLevel Level;
        public float* X;
        public float* Y;
        public int Rows;
        public float* Bias;     // of y = x·Wᵀ + b, or null
        public bool Accumulate; // of dx += dy·W
        public int PanelsPerPart;
        public int Parts;
        public bool Back; // dx = dy·W
    }
}
