namespace ElderManaged.Tensors;

/// <summary>One sequence and one key/value head of an attention call, as addresses.</summary>
internal readonly unsafe struct AttentionSlice
{
    private readonly float* pastKeys, pastValues, ownKeys, ownValues;

    /// <summary>The addresses of past segments must stay pinned while this is used.</summary>
    public AttentionSlice(in AttentionState state, int sequence, int kvHead, float* pastKeys, float* pastValues)
    {
        Width = state.Width;
        QueryStride = state.Q.Columns;
        KeyStride = state.K.Columns;
        Start = state.Layout.Starts[sequence];
        Length = state.Layout.Lengths[sequence];
        Past = state.Layout.Past[sequence];
        nint offset = (nint)kvHead * Width;
        this.pastKeys = pastKeys + offset;
        this.pastValues = pastValues + offset;
        ownKeys = state.K.Pointer + (Start * KeyStride) + offset;
        ownValues = state.V.Pointer + (Start * KeyStride) + offset;
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

    /// <summary>The key of a position.</summary>
    public float* Key(int position) => Row(pastKeys, ownKeys, position);

    /// <summary>The value of a position.</summary>
    public float* Value(int position) => Row(pastValues, ownValues, position);

    private float* Row(float* past, float* own, int position) =>
        position < Past ? past + (position * KeyStride) : own + ((position - Past) * KeyStride);
}
