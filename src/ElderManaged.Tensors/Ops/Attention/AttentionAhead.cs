using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

/// <summary>Memory that is wanted soon, in the order in which it is: tiles fetch it while they compute.</summary>
/// <remarks>
/// A head's part of a row is a few lines of cache, and the next row's lies pages away, where the hardware does not look ahead. What a head
/// reads and writes is as many bytes for each multiply-add as memory can deliver, so it must come while the tiles of the one before are at work:
/// each step of a tile fetches 32 columns (two lines) of one row, hence a tile as many rows as it is deep.
/// </remarks>
internal unsafe struct AttentionAhead
{
    private const int Room = 14;

    // So few rows are not worth a tile's steps: they are asked for at once.
    private const int FewRows = 8;

    private Areas areas;
    private int count, current, row, column;

    /// <summary>Rows <paramref name="stride"/> apart, of which the first <paramref name="width"/> columns are wanted. What does not find room is forgotten: these are hints.</summary>
    public void Add(float* first, nint stride, int rows, int width)
    {
        if (rows <= FewRows)
        {
            for (int r = 0; r < rows; r++)
            {
                for (int c = 0; c < width; c += 16)
                {
                    Prefetch.Near(first + (r * stride) + c);
                }
            }
        }
        else if (count < Room)
        {
            areas[count++] = new(first, stride, rows, width);
        }
    }

    /// <summary>Adds keys and values of a part, as many of them as fall to one of so many blocks of rows before it: all at once would be more than memory delivers.</summary>
    public void AddKeys(in AttentionPart part, int block, int blocks)
    {
        ref readonly AttentionSlice slice = ref part.Slice;
        int first = part.EndRow * block / blocks, rows = (part.EndRow * (block + 1) / blocks) - first;
        Add(slice.OwnKeys + (first * slice.KeyStride), slice.KeyStride, rows, slice.Width);
        Add(slice.OwnValues + (first * slice.KeyStride), slice.KeyStride, rows, slice.Width);
        first = slice.Past * block / blocks;
        rows = (slice.Past * (block + 1) / blocks) - first;
        Add(slice.PastValues + (first * slice.KeyStride), slice.KeyStride, rows, slice.Width);
        if (block == 0)
        {
            Add(slice.PastKeys(0), AttentionPacking.Panel, slice.Past > 0 ? slice.Width : 0, AttentionPacking.Panel);
        }
    }

    /// <summary>Forgets what was not fetched yet.</summary>
    public void Clear() => count = current = row = column = 0;

    /// <summary>
    /// Gives a tile of so many columns, whose depth is set, what it shall fetch. Where that is deeper than there are rows, it works in two pieces,
    /// and fetches twice. A tile of few columns fetches nothing: its multipliers wait for loads as it is.
    /// </summary>
    public void Fetch(TileWork* work, int columns)
    {
        work->Pieces = 1;
        if (current == count || columns <= AttentionPacking.Panel / 2)
        {
            work->Ahead = work->B;
            work->AheadStep = 0;
            return;
        }

        nint stride = areas[current].Stride;
        bool twice = 2 * areas[current].Rows <= work->Depth && work->Depth % 2 == 0;
        if (twice)
        {
            work->Depth /= 2;
            work->Pieces = 2;
            work->APiece = work->Depth * work->ACol;
        }

        float* first = Take(work->Depth);
        work->Ahead = first;
        work->AheadStep = stride;
        if (twice)
        {
            float* end = first + (work->Depth * stride);
            work->AheadPiece = (nint)((current < count && areas[current].Stride == stride ? Take(work->Depth) : first) - end);
        }
    }

    /// <summary>
    /// What each of some strips or groups shall fetch; or <paramref name="nothing"/>, an address that is near already. The first has time for
    /// so many <paramref name="rows"/>, each next one for some <paramref name="more"/>, and for so many <paramref name="columns"/> of each.
    /// </summary>
    public void Fetch(AheadRun* runs, int strips, nint rows, nint more, int columns, float* nothing)
    {
        for (int i = 0; i < strips; i++, rows += more)
        {
            if (current < count)
            {
                ref readonly Area area = ref areas[current];
                nint some = Math.Min(rows, area.Rows - row);
                runs[i].Step = area.Stride;
                runs[i].First = Take(some, columns);
                runs[i].Last = runs[i].First + ((some - 1) * runs[i].Step);
            }
            else
            {
                runs[i] = new() { First = nothing, Last = nothing };
            }
        }
    }

    // The next rows, as many as a tile or a strip has time for: maybe fewer.
    private float* Take(nint depth, int columns = AttentionPacking.Panel)
    {
        ref readonly Area area = ref areas[current];
        float* first = area.First + (row * area.Stride) + column;
        row += (int)depth;
        if (row >= area.Rows)
        {
            row = 0;
            column += columns;
            if (column >= area.Width)
            {
                column = 0;
                current++;
            }
        }

        return first;
    }

    private readonly struct Area(float* first, nint stride, int rows, int width)
    {
        public readonly float* First = first;
        public readonly nint Stride = stride;
        public readonly int Rows = rows, Width = width;
    }

    [InlineArray(Room)]
    private struct Areas
    {
        private Area first;
    }
}

/// <summary>The rows that a strip fetches, or a group of rows of a triangle, one after the other: 32 or 64 columns of each.</summary>
internal unsafe struct AheadRun
{
    public float* First, Last;
    public nint Step;
}
