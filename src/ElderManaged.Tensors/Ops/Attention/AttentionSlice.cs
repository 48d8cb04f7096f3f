namespace ElderManaged.Tensors;

/// <summary>One sequence and one key/value head of an attention call, as addresses.</summary>
internal readonly unsafe struct AttentionSlice
{
    private readonly float* pastKeys, pastValues;

    /// <summary>The past segment must stay reachable while this is used.</summary>
    public AttentionSlice(in AttentionState state, int sequence, int kvHead)
    {
        Width = state.Width;
        QueryStride = state.QueryStride;
        KeyStride = state.KeyStride;
        Start = state.Layout.Starts[sequence];
        Length = state.Layout.Lengths[sequence];
        Past = state.Layout.Past[sequence];
        nint offset = (nint)kvHead * Width;
        OwnKeys = state.K.Pointer + (Start * KeyStride) + offset;
        OwnValues = state.V.Pointer + (Start * KeyStride) + offset;
        if (Past > 0)
        {
            KeyValueSegment past = state.Past![sequence]!;
            pastKeys = past.KeyPanels + (offset * AttentionPacking.Panel);
            pastValues = past.ValueRows + offset;
        }
    }

    /// <summary>D, the width of a head.</summary>
    public int Width { get; }

    /// <summary>From one row of q, y and their gradients to the next.</summary>
    public nint QueryStride { get; }

    /// <summary>From one row of keys or values to the next, also in past segments.</summary>
    public nint KeyStride { get; }

    /// <summary>The first row of the sequence.</summary>
    public nint Start { get; }

    /// <summary>Rows of the sequence.</summary>
    public int Length { get; }

    /// <summary>Positions before its rows.</summary>
    public int Past { get; }

    /// <summary>Keys of the sequence's rows.</summary>
    public float* OwnKeys { get; }

    /// <summary>Values of the sequence's rows.</summary>
    public float* OwnValues { get; }

    /// <summary>The panel [D, 32] of keys of past positions from <paramref name="position"/>, a multiple of 32, on.</summary>
    public float* PastKeys(int position) => pastKeys + (position * KeyStride);

    /// <summary>The values of the past.</summary>
    public float* PastValues => pastValues;

    /// <summary>The value of a position.</summary>
    public float* Value(int position) =>
        position < Past ? pastValues + (position * KeyStride) : OwnValues + ((position - Past) * KeyStride);
}
