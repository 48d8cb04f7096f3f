using System.Buffers.Binary;
using ElderManaged.Models.Llama;

namespace ElderManaged.Models.Checkpoints.Llama2C;

/// <summary>The header of a llama2.c file, checked against the file's length, which it determines to the byte.</summary>
internal sealed record Llama2CHeader(int Version, int Bytes, LlamaConfig Config)
{
    private const uint Magic = 0x616B3432; // "ak42"
    private const int Version0Bytes = 7 * sizeof(int);
    private const int Version1Bytes = 256;
    private const int BeginOfText = 1; // llama2.c stops where the model begins the next text

    public static Llama2CHeader Read(ByteSource source)
    {
        if (source.Length < Version0Bytes)
        {
            throw new CheckpointException($"{source.Name} has only {source.Length} bytes; a llama2.c file has at least {Version0Bytes} and weights.");
        }

        Span<byte> start = stackalloc byte[Version0Bytes + (2 * sizeof(int)) + 1];
        start = start[..(int)Math.Min(start.Length, source.Length)];
        source.Read(start, 0);
        if (BinaryPrimitives.ReadUInt32LittleEndian(start) != Magic)
        {
            // A negative vocabulary size says that the output layer does not share the embedding.
            int vocabulary = BinaryPrimitives.ReadInt32LittleEndian(start[(5 * sizeof(int))..]);
            return Check(source, 0, Version0Bytes, start, vocabulary > 0);
        }

        int version = BinaryPrimitives.ReadInt32LittleEndian(start[sizeof(int)..]);
        if (version != 1)
        {
            throw new CheckpointException($"{source.Name} has the llama2.c version {version}; supported are 0 and 1 (float32).");
        }

        if (source.Length < Version1Bytes)
        {
            throw new CheckpointException($"{source.Name} has only {source.Length} bytes; the header alone has {Version1Bytes}.");
        }

        return Check(source, 1, Version1Bytes, start[(2 * sizeof(int))..], start[^1] != 0);
    }

    private static Llama2CHeader Check(ByteSource source, int version, int bytes, ReadOnlySpan<byte> start, bool shared)
    {
        Span<int> sizes = stackalloc int[7];
        for (int i = 0; i < sizes.Length; i++)
        {
            sizes[i] = BinaryPrimitives.ReadInt32LittleEndian(start[(i * sizeof(int))..]);
        }

        (int width, int inner, int layers, int heads, int keyValueHeads) = (sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]);
        long vocabulary = version == 0 ? Math.Abs((long)sizes[5]) : sizes[5];
        int positions = sizes[6];
        bool sound = width > 0 && inner > 0 && layers > 0 && heads > 0 && keyValueHeads > 0 && positions > 0 && vocabulary is > 0 and <= int.MaxValue
            && width % heads == 0 && width / heads % 2 == 0 && heads % keyValueHeads == 0;
        if (!sound)
        {
            throw new CheckpointException($"{source.Name} is no llama2.c file: its header gives width {width}, inner width {inner}, {layers} layers, {heads} heads, {keyValueHeads} key/value heads, vocabulary {sizes[5]}, {positions} positions, which no model can have.");
        }

        var config = new LlamaConfig
        {
            VocabSize = (int)vocabulary, MaxPositions = positions, HiddenSize = width, InnerSize = inner, LayerCount = layers,
            HeadCount = heads, KeyValueHeadCount = keyValueHeads, RmsNormEpsilon = 1e-5f, TieWordEmbeddings = shared,
            BosTokenId = BeginOfText < vocabulary ? BeginOfText : null,
            EosTokenIds = BeginOfText < vocabulary ? new TokenIds([BeginOfText]) : TokenIds.None,
        };
        var header = new Llama2CHeader(version, bytes, config);
        header.CheckLength(source);
        return header;
    }

    private void CheckLength(ByteSource source)
    {
        Int128 needed = Llama2CLayout.FileBytes(this);
        if (needed > source.Length)
        {
            throw new CheckpointException($"{source.Name} has {source.Length} bytes, but its header describes a model of {needed}; it is truncated or no llama2.c file.");
        }

        if (needed < source.Length)
        {
            throw new CheckpointException($"{source.Name} has {source.Length} bytes, but its header describes a model of {needed}; it is no llama2.c file, or damaged.");
        }
    }
}
