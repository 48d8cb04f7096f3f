using System.Runtime.CompilerServices;
using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>Where a product on a GPU takes A or B from: lines are rows of A or columns of B, depths are numbers of k.</summary>
/// <remarks>
/// A slice of some depths and lines comes to shared memory in packets, each a load of 128 bits by one thread: first to its
/// registers, later, decoded, to the slice, which is fours of float32, k by k, one four more than there are lines. What lies
/// beyond K becomes 0.
/// </remarks>
internal interface IGemmSource
{
    /// <summary>Numbers of the slice in a packet.</summary>
    static abstract int Numbers { get; }

    /// <summary>Packet <paramref name="index"/> of the slice that begins at (depth, line) and has <paramref name="lines"/> lines.</summary>
    static abstract GemmPacket Fetch(GemmArguments a, int batch, int depth, int line, int lines, int index);

    /// <summary>Puts that packet into the slice, which begins at <paramref name="start"/> of shared memory.</summary>
    static abstract void Put(GemmArguments a, GemmPacket packet, ArrayView<Float4> slice, int start, int depth, int line, int lines, int index);
}

/// <summary>A kind of B: kernels are made for each.</summary>
internal interface IGemmOperand : IGemmSource
{
    /// <summary>For people and for the file of measured choices.</summary>
    static abstract string Name { get; }
}

/// <summary>One packet as it was loaded.</summary>
internal struct GemmPacket
{
    /// <summary>Four numbers, or four words of stored bits.</summary>
    public Float4 Numbers;

    /// <summary>Of stored formats, as stored: the words with the scales of four outputs.</summary>
    public Float4 Scales;

    /// <summary>The same of their minima.</summary>
    public Float4 Minima;
}

/// <summary>What one thread brings to a slice.</summary>
internal struct GemmPackets
{
    public GemmPacket First, Second, Third, Fourth;
}

/// <summary>Brings slices of a source to shared memory, all threads of a group together. The sizes are constants for the compiler.</summary>
internal static class GemmSlice<TSource>
    where TSource : struct, IGemmSource
{
    /// <summary>Starts the loads of a thread: up to four packets, or, where there are fewer packets than threads, one or none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GemmPackets Fetch(GemmArguments a, int batch, int depth, int line, int lines, int depths, int threads, int thread)
    {
        int count = lines * depths / TSource.Numbers;
        GemmPackets packets = default;
        if (count >= threads || thread < count)
        {
            packets.First = TSource.Fetch(a, batch, depth, line, lines, thread);
        }

        if (count > threads)
        {
            packets.Second = TSource.Fetch(a, batch, depth, line, lines, thread + threads);
        }

        if (count > 2 * threads)
        {
            packets.Third = TSource.Fetch(a, batch, depth, line, lines, thread + (2 * threads));
            packets.Fourth = TSource.Fetch(a, batch, depth, line, lines, thread + (3 * threads));
        }

        return packets;
    }

    /// <summary>Puts them into a stage of shared memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(GemmArguments a, GemmPackets packets, ArrayView<Float4> slices, int stage, int depth, int line, int lines, int depths, int threads, int thread)
    {
        int count = lines * depths / TSource.Numbers;
        int start = stage * depths * ((lines >> 2) + 1);
        if (count >= threads || thread < count)
        {
            TSource.Put(a, packets.First, slices, start, depth, line, lines, thread);
        }

        if (count > threads)
        {
            TSource.Put(a, packets.Second, slices, start, depth, line, lines, thread + threads);
        }

        if (count > 2 * threads)
        {
            TSource.Put(a, packets.Third, slices, start, depth, line, lines, thread + (2 * threads));
            TSource.Put(a, packets.Fourth, slices, start, depth, line, lines, thread + (3 * threads));
        }
    }
}

/// <summary>Which place of a slice a packet has. All sizes are powers of two.</summary>
internal readonly struct GemmPlace
{
    /// <summary>The packet across lines or along k, see the two methods.</summary>
    public readonly int Packet;

    /// <summary>The k, or the line.</summary>
    public readonly int Other;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private GemmPlace(int packet, int other) => (Packet, Other) = (packet, other);

    /// <summary>Packets that lie across lines, <paramref name="packets"/> of them for each of <see cref="Other"/>: neighbouring threads read neighbouring bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GemmPlace Across(int index, int packets) => new(index & (packets - 1), index / packets);

    /// <summary>Packets that lie along k, of each of <paramref name="others"/> lines: two neighbours of one line, then the next line.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GemmPlace Along(int index, int others) => new((index & 1) + (index / (2 * others) * 2), (index >> 1) & (others - 1));
}

/// <summary>Dense A.</summary>
internal readonly struct LeftOperand : IGemmSource
{
    public static int Numbers => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GemmPacket Fetch(GemmArguments a, int batch, int depth, int line, int lines, int index) => new()
    {
        Numbers = DenseOperand.Fetch(a.A, batch * a.BatchA, a.RowA, a.DepthA, a.FoursA, a.M, a.K, depth, line, lines, index),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(GemmArguments a, GemmPacket packet, ArrayView<Float4> slice, int start, int depth, int line, int lines, int index) =>
        DenseOperand.Put(packet.Numbers, slice, start, a.DepthA == 1, lines, index);
}

/// <summary>Dense B.</summary>
internal readonly struct DenseOperand : IGemmOperand
{
    public static string Name => "dense";

    public static int Numbers => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GemmPacket Fetch(GemmArguments a, int batch, int depth, int line, int lines, int index) => new()
    {
        Numbers = Fetch(a.B, batch * a.BatchB, a.ColumnB, a.DepthB, a.FoursB, a.N, a.K, depth, line, lines, index),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(GemmArguments a, GemmPacket packet, ArrayView<Float4> slice, int start, int depth, int line, int lines, int index) =>
        Put(packet.Numbers, slice, start, a.DepthB == 1, lines, index);

    /// <summary>Four numbers along k where they are neighbours there, otherwise four lines of one k, which then are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float4 Fetch(
        ArrayView<float> source, int start, int lineStride, int depthStride, int fours, int endLine, int endDepth, int depth, int line, int lines, int index)
    {
        int at;
        int inside;
        if (depthStride == 1)
        {
            GemmPlace place = GemmPlace.Along(index, lines);
            line += place.Other;
            depth += 4 * place.Packet;
            at = start + (line * lineStride) + depth;
            inside = line < endLine ? endDepth - depth : 0;
        }
        else
        {
            GemmPlace place = GemmPlace.Across(index, lines >> 2);
            line += 4 * place.Packet;
            depth += place.Other;
            at = start + line + (depth * depthStride);
            inside = depth < endDepth ? endLine - line : 0;
        }

        // The one place for what is not aligned or reaches over an edge.
        return fours != 0 && inside >= 4
            ? source.Fours()[at >> 2]
            : new Float4(inside > 0 ? source[at] : 0, inside > 1 ? source[at + 1] : 0, inside > 2 ? source[at + 2] : 0, inside > 3 ? source[at + 3] : 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(Float4 numbers, ArrayView<Float4> slice, int start, bool alongK, int lines, int index)
    {
        if (alongK)
        {
            GemmPlace place = GemmPlace.Along(index, lines);
            ArrayView<float> floats = slice.Cast<float>();
            int at = (4 * start) + (4 * place.Packet * (lines + 4)) + place.Other;
            floats[at] = numbers.X;
            floats[at + lines + 4] = numbers.Y;
            floats[at + (2 * (lines + 4))] = numbers.Z;
            floats[at + (3 * (lines + 4))] = numbers.W;
        }
        else
        {
            GemmPlace place = GemmPlace.Across(index, lines >> 2);
            slice[start + (place.Other * ((lines >> 2) + 1)) + place.Packet] = numbers;
        }
    }
}
