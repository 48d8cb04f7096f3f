using System.Buffers.Binary;

namespace ElderManaged.Testing.Ptx;

/// <summary>
/// The shared memory of a group. It knows for each word who read and wrote it since the last barrier, and refuses what depends on
/// the order in which threads run: a word that one thread writes and another reads or writes without a barrier in between. What
/// nobody has written is not a number, and spoils every result that it gets into.
/// </summary>
internal sealed class PtxShared
{
    private const int Word = 4;
    private const int Several = -1;

    private readonly byte[] _bytes;
    private readonly Access[] _writes, _reads;
    private int _barriers = 1;

    public PtxShared(int end)
    {
        _bytes = new byte[end];
        _bytes.AsSpan().Fill(0xFF);
        (_writes, _reads) = (new Access[(end / Word) + 1], new Access[(end / Word) + 1]);
    }

    /// <summary>All threads have come to a barrier: what they wrote is there for all.</summary>
    public void PassBarrier() => _barriers++;

    /// <summary>Where an address lies; it must be inside, and as aligned as what is moved is long.</summary>
    public int Place(ulong address, int bytes)
    {
        if (address < PtxProgram.SharedStart || address + (ulong)bytes > (ulong)_bytes.Length)
        {
            throw new PtxException($"{bytes} bytes at {address} of shared memory, which goes from {PtxProgram.SharedStart} to {_bytes.Length}");
        }

        return address % (ulong)bytes == 0 ? (int)address : throw new PtxException($"{bytes} bytes at {address} of shared memory are not aligned");
    }

    public ulong Load(PtxThread thread, int place, int bytes)
    {
        for (int word = place / Word; word < (place + bytes + Word - 1) / Word; word++)
        {
            Refuse(thread, _writes[word], word, "wrote");
            Access read = _reads[word];
            _reads[word] = new Access(_barriers, read.Barrier != _barriers || read.Thread == thread.Number ? thread.Number : Several);
        }

        return bytes switch
        {
            4 => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(place)),
            8 => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(place)),
            _ => throw new PtxException($"{bytes} bytes of shared memory"),
        };
    }

    public void Store(PtxThread thread, int place, int bytes, ulong value)
    {
        for (int word = place / Word; word < (place + bytes + Word - 1) / Word; word++)
        {
            Refuse(thread, _writes[word], word, "wrote");
            Refuse(thread, _reads[word], word, "read");
            _writes[word] = new Access(_barriers, thread.Number);
        }

        if (bytes == 4)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(place), (uint)value);
        }
        else if (bytes == 8)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(place), value);
        }
        else
        {
            throw new PtxException($"{bytes} bytes of shared memory");
        }
    }

    private void Refuse(PtxThread thread, Access other, int word, string did)
    {
        if (other.Barrier == _barriers && other.Thread != thread.Number)
        {
            throw new PtxException($"{(other.Thread == Several ? "other threads" : $"thread {other.Thread}")} {did} {word * Word} of shared memory since the last barrier");
        }
    }

    private readonly record struct Access(int Barrier, int Thread);
}
