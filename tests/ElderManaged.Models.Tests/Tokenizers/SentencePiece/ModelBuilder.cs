using System.Text;

namespace ElderManaged.Models.Tests.Tokenizers.SentencePiece;

/// <summary>Writes small SentencePiece models, from the format's definition and independent of the reader under test.</summary>
internal sealed class ModelBuilder
{
    private readonly List<byte> file = [];

    public static byte[] Unigram() => new ModelBuilder().Specials().Bytes()
        .Pieces(("▁", -2.5f), ("▁the", -3f), ("the", -4.5f), ("th", -5f), ("e", -4f), ("t", -4.2f), ("h", -4.3f), ("a", -3.9f), ("▁a", -3.1f), ("1", -6f), ("12", -6.5f), ("123", -8f), ("数", -9f), ("é", -8f))
        .Trainer(modelType: 1, byteFallback: true).Normalizer(dummy: true, removeExtra: false).Build();

    public ModelBuilder Specials() => Piece("<unk>", 0, 2).Piece("<s>", 0, 3).Piece("</s>", 0, 3);

    public ModelBuilder Bytes()
    {
        for (int b = 0; b < 256; b++)
        {
            Piece($"<0x{b:X2}>", 0, 6);
        }

        return this;
    }

    public ModelBuilder Pieces(params (string Text, float Score)[] pieces)
    {
        foreach ((string text, float score) in pieces)
        {
            Piece(text, score, 1);
        }

        return this;
    }

    public ModelBuilder Piece(string text, float score, int kind) => Message(1, [.. Field(1, Encoding.UTF8.GetBytes(text)), 0x15, .. BitConverter.GetBytes(score), 0x18, (byte)kind]);

    public ModelBuilder Trainer(int modelType, bool byteFallback, bool suffixSpace = false) =>
        Message(2, [0x18, (byte)modelType, 0xC0, 0x01, Bit(suffixSpace), 0x98, 0x02, Bit(byteFallback)]);

    public ModelBuilder Normalizer(bool dummy, bool removeExtra, byte[]? rules = null, bool escape = true) =>
        Message(3, [.. Field(2, rules ?? []), 0x18, Bit(dummy), 0x20, Bit(removeExtra), 0x28, Bit(escape)]);

    public ModelBuilder Message(int field, byte[] content)
    {
        file.AddRange(Field(field, content));
        return this;
    }

    public byte[] Build() => [.. file];

    private static byte Bit(bool flag) => flag ? (byte)1 : (byte)0;

    private static byte[] Field(int field, byte[] content)
    {
        List<byte> result = [(byte)((field << 3) | 2)];
        uint length = (uint)content.Length;
        for (; length >= 0x80; length >>= 7)
        {
            result.Add((byte)(length | 0x80));
        }

        result.Add((byte)length);
        result.AddRange(content);
        return [.. result];
    }
}
