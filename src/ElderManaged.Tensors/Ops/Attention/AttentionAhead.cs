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
    private const int Room = 10;

    private Areas areas;
    private int count, current, row, column;

    /// <summary>Rows <paramref name="stride"/> apart, of which the first <paramref name="width"/> columns are wanted. What does not find room is forgotten: these are hints.</summary>
    public void Add(float* first, nint stride, int rows, int width)
    {
        if (rows > 0 && count < Room)
        {
            areas[count++] = new(first, stride, rows, width);
        }
    }

    /// <summary>Forgets what was not fetched yet.</summary>
    public void Clear() => count = current = row = column = 0;

    /// <summary>Gives a tile, whose depth is set, what it shall fetch.</summary>
    public void Fetch(TileWork* work)
    {
        if (current == count)
        {
            work->Ahead = work->B;
            work->AheadStep = 0;
            return;
        }

        ref readonly Area area = ref areas[current];
        work->Ahead = area.First + (row * area.Stride) + column;
        work->AheadStep = area.Stride;
        row += (int)work->Depth;
        if (row >= area.Rows)
        {
            row = 0;
            column += AttentionPacking.Panel;
            if (column >= area.Width)
            {
                column = 0;
                current++;
            }
        }
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
