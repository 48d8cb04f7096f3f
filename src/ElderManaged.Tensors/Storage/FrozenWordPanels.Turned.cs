namespace ElderManaged.Tensors;

// dx = dy·W, for which the panels lie the wrong way round.
internal sealed unsafe partial class FrozenWordPanels
{
    [ThreadStatic]
    private static AlignedBuffer? t_turned;

    public override void MultiplyTransposed(ReadOnlySpan<float> dy, int rows, Span<float> dx, bool accumulate)
    {
        fixed (float* pdy = dy)
        fixed (float* pdx = dx)
        {
            Product work = new() { Weight = this, Level = Simd.Level, X = pdy, Y = pdx, Rows = rows, Accumulate = accumulate, Back = true };
            if (rows <= WideSums.MaxRows)
            {
                work.X = WideSums.Pack(rows, OutFeatures, Lanes, pdy);
                work.Parts = WideSums.Parts(InFeatures);
                CpuThreads.Run(work.Parts, work, static (w, part) => w.Weight.MultiplyTransposedFewRows(w, part));
            }
            else if (GemmFromPanels.PaysUnpacked(rows))
            {
                GemmFromPanels.Multiply(new Unpacked(this), OutFeatures, InFeatures, pdy, rows, pdx, accumulate);
            }
            else
            {
                // Parts are ranges of inputs, in pieces of 32: whole groups, whole panels of the product.
                int pieces = (InFeatures + Width - 1) / Width;
                work.PanelsPerPart = PartSize(pieces, UnpackedColumns / Width);
                int parts = (pieces + work.PanelsPerPart - 1) / work.PanelsPerPart;
                CpuThreads.Run(parts, work, static (w, part) => w.Weight.MultiplyTurned(w, part));
            }
        }

        GC.KeepAlive(this);
    }

    // Slices of outputs may begin and end within a panel of 64: its halves are panels of 32.
    private readonly struct Unpacked(FrozenWordPanels weight) : GemmFromPanels.IUnpacked
    {
        public void Unpack(SimdLevel level, int firstOutput, int outputs, int firstInput, int inputs, float* block)
        {
            nint half = (nint)inputs * Width;
            for (int o = firstOutput; o < firstOutput + outputs;)
            {
                bool whole = o % Lanes == 0 && o + Width < firstOutput + outputs;
                float* to = whole ? block : AlignedBuffer.Rent(ref t_unpacked, 2 * half);
                weight.Unpack(level, o / Lanes, firstInput, inputs, to);
                if (!whole)
                {
                    new Span<float>(to + (o % Lanes / Width * half), (int)half).CopyTo(new Span<float>(block, (int)half));
                }

                o += whole ? Lanes : Width;
                block += whole ? 2 * half : half;
            }
        }

        public GemmBlocks.WantedNext Source(int firstOutput, int outputs, int firstInput, int inputs) => new()
        {
            First = (float*)(weight.Panel(firstOutput / Lanes) + weight._layout.Offset(firstInput)),
            Step = weight._panelBytes / sizeof(float),
            Pieces = ((firstOutput + outputs - 1) / Lanes) - (firstOutput / Lanes) + 1,
            Length = weight._layout.Offset(inputs & ~1) / sizeof(float),
        };
    }

    // Inputs of one part of dx: for each block of outputs, unpack, turn into panels of inputs, multiply.
    private void MultiplyTurned(in Product work, int part)
    {
        int firstInput = part * work.PanelsPerPart * Width;
        int inputs = Math.Min(work.PanelsPerPart * Width, InFeatures - firstInput);
        int panelsOfInputs = (inputs + Width - 1) / Width;
        float* turned = AlignedBuffer.Rent(ref t_turned, (long)panelsOfInputs * Width * UnpackedDepth);
        float* block = AlignedBuffer.Rent(ref t_unpacked, Lanes * Lanes);
        for (int o0 = 0; o0 < OutFeatures; o0 += UnpackedDepth)
        {
            int outputs = Math.Min(UnpackedDepth, OutFeatures - o0);
            for (int o = o0; o < o0 + outputs; o += Lanes)
            {
                // In squares that stay in the first-level cache between unpacking and turning.
                for (int i = 0; i < inputs; i += Lanes)
                {
                    int depth = Math.Min(Lanes, inputs - i);
                    Unpack(work.Level, o / Lanes, firstInput + i, depth, block);
                    for (int lane = 0; lane < Math.Min(Lanes, OutFeatures - o); lane += Width)
                    {
                        for (int p = 0; p < depth; p += Width)
                        {
                            float* piece = block + (lane * (nint)depth) + ((nint)p * Width);
                            float* target = turned + ((nint)(i + p) * outputs) + ((nint)(o - o0 + lane) * Width);
                            GemmPacking.Panel(true, piece, Width, Math.Min(Width, OutFeatures - o - lane), Math.Min(Width, depth - p), target);
                        }
                    }
                }
            }

            // While this block is multiplied, the words of the next one come from memory: of further outputs, or of the next inputs.
            bool last = o0 + outputs == OutFeatures;
            GemmBlocks.WantedNext next = new()
            {
                First = (float*)(Panel(last ? 0 : (o0 + outputs) / Lanes) + _layout.Offset(last ? firstInput + inputs : firstInput)),
                Step = _panelBytes / sizeof(float),
                Pieces = Math.Min(UnpackedDepth / Lanes, _special.Length - (last ? 0 : (o0 + outputs) / Lanes)),
                Length = _layout.Offset(inputs & ~1) / sizeof(float),
            };
            GemmBlocks.MultiplyPacked(work.X + o0, OutFeatures, 1, turned, work.Y + firstInput, InFeatures, work.Rows, inputs, outputs, work.Accumulate || o0 > 0, next: next);
        }
    }

    // Inputs of one part of dx for one to four rows, see WideSums.
    private void MultiplyTransposedFewRows(in Product work, int part)
    {
        int first = WideSums.FirstInput(part, work.Parts, InFeatures);
        int inputs = WideSums.FirstInput(part + 1, work.Parts, InFeatures) - first;
        float* sums = WideSums.Rent(work.Rows, inputs);
        for (int panel = 0, together; panel < _special.Length; panel += together)
        {
            if (_special[panel])
            {
                together = 1;
                AddSpecial(work, panel, first, inputs, work.X + ((nint)panel * work.Rows * Lanes), sums);
                continue;
            }

            together = PanelStreams.Together(OrdinaryFrom(panel, _special.Length));
            Walk(work, panel, together, first, inputs, sums);
        }

        WideSums.Finish(work.Rows, inputs, sums, work.Y + first, InFeatures, work.Accumulate);
    }

    // A panel that takes the plain decoding: as two panels of float32.
    private void AddSpecial(in Product work, int panel, int first, int inputs, float* dy, float* sums)
    {
        float* block = AlignedBuffer.Rent(ref t_unpacked, (long)Lanes * inputs);
        Unpack(work.Level, panel, first, inputs, block);
        nint half = (nint)Width * inputs;
        PanelStreams ahead = new((byte*)block, half * sizeof(float), 2); // it is in the cache already
        WideSums.Add(work.Level, work.Rows, block, half, inputs, dy, Lanes, Width, sums, ahead);
    }
}
