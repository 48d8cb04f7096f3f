namespace ElderManaged.Tensors;

// dx = dy·W, for which the panels lie the wrong way round.
internal sealed unsafe partial class FrozenWordPanels
{
    [ThreadStatic]
    private static AlignedBuffer? t_turned;

    // Inputs of a block of sixteen words.
    private int BlockInputs => 16 * _layout.InWord;

    public override void MultiplyTransposed(ReadOnlySpan<float> dy, int rows, Span<float> dx, bool accumulate)
    {
        fixed (float* pdy = dy)
        fixed (float* pdx = dx)
        {
            Product work = new() { Weight = this, Level = Simd.Level, X = pdy, Y = pdx, Rows = rows, Accumulate = accumulate };

            if (work.Level == SimdLevel.Vector512 && rows <= GemmTurn.MaxRows && !Array.Exists(_special, special => special))
            {
                // Parts are ranges of inputs, in blocks of sixteen words.
                int blocks = (InFeatures + BlockInputs - 1) / BlockInputs;
                work.PanelsPerPart = PartSize(blocks, blocks);
                CpuThreads.Run((blocks + work.PanelsPerPart - 1) / work.PanelsPerPart, work, static (w, part) => w.Weight.MultiplyTurnedWords(w, part));
                return;
            }

            // Parts are ranges of inputs, in pieces of 32: whole groups, whole panels of the product.
            int pieces = (InFeatures + Width - 1) / Width;
            work.PanelsPerPart = PartSize(pieces, UnpackedColumns / Width);
            int parts = (pieces + work.PanelsPerPart - 1) / work.PanelsPerPart;
            if (GemmTurn.Serves(work.Level, rows))
            {
                CpuThreads.Run(parts, work, static (w, part) => w.Weight.MultiplyTurnedFewRows(w, part));
            }
            else
            {
                CpuThreads.Run(parts, work, static (w, part) => w.Weight.MultiplyTurned(w, part));
            }
        }

        GC.KeepAlive(this);
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

            GemmBlocks.MultiplyPacked(work.X + o0, OutFeatures, 1, turned, work.Y + firstInput, InFeatures, work.Rows, inputs, outputs, work.Accumulate || o0 > 0);
        }
    }

    // Inputs of one part of dx for a few rows: squares are unpacked into the first-level cache and turned in registers on the way
    // into the sums, while the words of the next square arrive.
    private void MultiplyTurnedFewRows(in Product work, int part)
    {
        const int slice = 32;
        int firstInput = part * work.PanelsPerPart * Width;
        int end = Math.Min(firstInput + (work.PanelsPerPart * Width), InFeatures);
        float* block = AlignedBuffer.Rent(ref t_unpacked, Lanes * Lanes);
        for (int row = 0; !work.Accumulate && row < work.Rows; row++)
        {
            new Span<float>(work.Y + (row * (nint)InFeatures) + firstInput, end - firstInput).Clear();
        }

        nint linesInSlice = ((_layout.Offset(Lanes) / 64) + (2 * Lanes / slice) - 1) / (2 * Lanes / slice);
        for (int o = 0; o < OutFeatures; o += Lanes)
        {
            for (int i = firstInput; i < end; i += Lanes)
            {
                int depth = Math.Min(Lanes, end - i);
                Unpack(work.Level, o / Lanes, i, depth, block);

                // After the last square of this panel, the first one of the next.
                byte* next = Panel(o / Lanes) + (i + Lanes < end ? _layout.Offset(i + Lanes) : _panelBytes + _layout.Offset(firstInput));
                for (int lane = 0; lane < Math.Min(Lanes, OutFeatures - o); lane += Width)
                {
                    float* half = block + (lane * (nint)depth);
                    int outputs = Math.Min(Width, OutFeatures - o - lane);
                    for (int k = 0; k < depth; k += slice)
                    {
                        for (nint line = 0; line < linesInSlice; line++, next += 64)
                        {
                            Prefetch.Nearest((float*)next);
                        }

                        GemmTurn.Run(
                            work.Rows, half + (k * Width), Width, Math.Min(slice, depth - k), outputs, 0, work.X + o + lane, OutFeatures, work.Y + i + k, InFeatures);
                    }
                }
            }
        }
    }

    // Inputs of one part of dx for one to four rows, see WordTurn: blocks of sixteen words along k, panel after panel.
    private void MultiplyTurnedWords(in Product work, int part)
    {
        const int blocksAhead = 2;
        int length = BlockInputs;
        int first = part * work.PanelsPerPart * length;
        int inputs = Math.Min(work.PanelsPerPart * length, InFeatures - first);
        int blocks = (inputs + length - 1) / length;
        nint blockBytes = _layout.Offset(length);
        nint blockSums = (nint)work.Rows * length;
        float* sums = AlignedBuffer.Rent(ref t_turned, (blocks * blockSums) + WordTurn.ScratchLength + (blockBytes / sizeof(float)));
        float* scratch = sums + (blocks * blockSums);
        byte* lastBlock = (byte*)(scratch + WordTurn.ScratchLength);
        nint lastBytes = _layout.Offset(inputs + (inputs & 1)) - _layout.Offset((blocks - 1) * length);
        var kernel = WordDispatch.Turn(_numbers);

        for (nint i = 0; i < blocks * blockSums; i++)
        {
            sums[i] = 0f;
        }

        if (work.Accumulate)
        {
            MoveSums(work, first, inputs, sums, back: false);
        }

        // What the last block does not fill counts zero.
        new Span<byte>(lastBlock, (int)blockBytes).Clear();
        for (int panel = 0; panel < _special.Length; panel++)
        {
            byte* words = Panel(panel) + _layout.Offset(first);
            int outputs = Math.Min(Lanes, OutFeatures - (panel * Lanes));
            for (int block = 0; block < blocks; block++)
            {
                byte* from = words + (block * blockBytes);
                if (block == blocks - 1 && lastBytes < blockBytes)
                {
                    new Span<byte>(from, (int)lastBytes).CopyTo(new Span<byte>(lastBlock, (int)lastBytes));
                    from = lastBlock;
                }

                // After the last blocks of this panel, the first ones of the next.
                int ahead = block + blocksAhead;
                byte* next = words + (ahead < blocks ? ahead * blockBytes : _panelBytes + (Math.Min(ahead - blocks, block) * blockBytes));
                kernel(work.Rows, from, work.X + (panel * Lanes), OutFeatures, outputs, sums + (block * blockSums), next, scratch);
            }
        }

        MoveSums(work, first, inputs, sums, back: true);
    }

    // Between dx and the order of the sums: block, row, number of a word, word.
    private void MoveSums(in Product work, int first, int inputs, float* sums, bool back)
    {
        int inWord = _layout.InWord;
        for (int row = 0; row < work.Rows; row++)
        {
            float* dx = work.Y + (row * (nint)InFeatures) + first;
            for (int k = 0; k < inputs; k++)
            {
                (int block, int inBlock) = (k / BlockInputs, k % BlockInputs);
                float* sum = sums + ((((((nint)block * work.Rows) + row) * inWord) + (inBlock % inWord)) * 16) + (inBlock / inWord);
                if (back)
                {
                    dx[k] = *sum;
                }
                else
                {
                    *sum = dx[k];
                }
            }
        }
    }
}
