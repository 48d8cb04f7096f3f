using System.Buffers;

namespace ElderManaged.Models.Tokenizers;

/// <summary>A binary heap of (rank, place) in one rented array: the smallest rank first, of equal ones the leftmost.</summary>
internal ref struct PairHeap(int capacity)
{
    private ulong[] _keys = ArrayPool<ulong>.Shared.Rent(Math.Max(capacity, 16));
    private int _count;

    /// <summary>Adds without keeping the order; <see cref="Order"/> must follow.</summary>
    public void Append(int rank, int at)
    {
        Grow();
        _keys[_count++] = Key(rank, at);
    }

    public readonly void Order()
    {
        for (int i = _count / 2 - 1; i >= 0; i--)
        {
            Sink(i, _keys[i]);
        }
    }

    public void Put(int rank, int at)
    {
        Grow();
        ulong key = Key(rank, at);
        int i = _count++;
        while (i > 0 && _keys[(i - 1) / 2] > key)
        {
            _keys[i] = _keys[(i - 1) / 2];
            i = (i - 1) / 2;
        }

        _keys[i] = key;
    }

    public bool TryTake(out int rank, out int at)
    {
        if (_count == 0)
        {
            (rank, at) = (0, 0);
            return false;
        }

        (rank, at) = ((int)(_keys[0] >> 32), (int)(uint)_keys[0]);
        _count--;
        if (_count > 0)
        {
            Sink(0, _keys[_count]);
        }

        return true;
    }

    public void Return()
    {
        ArrayPool<ulong>.Shared.Return(_keys);
        (_keys, _count) = ([], 0);
    }

    private static ulong Key(int rank, int at) => ((ulong)(uint)rank << 32) | (uint)at;

    private readonly void Sink(int i, ulong key)
    {
        for (int child; (child = 2 * i + 1) < _count; i = child)
        {
            child += child + 1 < _count && _keys[child + 1] < _keys[child] ? 1 : 0;
            if (_keys[child] >= key)
            {
                break;
            }

            _keys[i] = _keys[child];
        }

        _keys[i] = key;
    }

    private void Grow()
    {
        if (_count == _keys.Length)
        {
            ulong[] larger = ArrayPool<ulong>.Shared.Rent(2 * _count);
            _keys.AsSpan(0, _count).CopyTo(larger);
            ArrayPool<ulong>.Shared.Return(_keys);
            _keys = larger;
        }
    }
}
