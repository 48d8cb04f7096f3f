using System.Text;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Tensors;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Models.Tests.Tokenizers;

/// <summary>Decoding token by token gives the text of decoding at once, and never half a character.</summary>
public sealed class IncrementalDecoderTests
{
    private static readonly ITokenizer[] Tokenizers =
    [
        Tokenizer.Load(TokenizerFixtures.PathOf("tok512.model")),
        Tokenizer.Load(TokenizerFixtures.PathOf("tok512.bin")),
        BpeTrainer.Train(BpeTrainer.CountWords(["the cat sat on the mat, 数学 😀😀 数学"]), 300),
    ];

    [Fact]
    public void PiecesOfAnyIdsAreTheWholeText() => Prop.ForAll(
        Gen.Choose(0, Tokenizers.Length - 1).SelectMany(which => Gen.Choose(0, Tokenizers[which].VocabularySize - 1).ListOf().Select(ids => (which, ids.ToArray()))).ToArbitrary(),
        sample => Check(Tokenizers[sample.which], sample.Item2)).QuickCheckThrowOnFailure();

    [Fact]
    public void PiecesOfBytesAloneAreTheWholeText()
    {
        // Only byte tokens, rich in beginnings and parts of characters.
        byte[] bytes = [0x41, 0x20, 0x80, 0xBF, 0xC3, 0xA9, 0xE6, 0x95, 0xB0, 0xED, 0xA0, 0xF0, 0x9F, 0x98, 0x80, 0xF4, 0x90, 0xFF];
        RandomSource random = new(7);
        for (int round = 0; round < 20_000; round++)
        {
            byte[] drawn = [.. Enumerable.Range(0, 1 + random.Next(9)).Select(_ => bytes[random.Next(bytes.Length)])];
            Assert.True(Check(Tokenizers[0], [.. drawn.Select(b => b + 3)]), Convert.ToHexString(drawn));
            Assert.True(Check(Tokenizers[2], [.. drawn.Select(b => ByteAlphabet.Order.IndexOf(b))]), Convert.ToHexString(drawn));
        }
    }

    [Fact]
    public void PiecesOfAnyTextAreTheText() => Prop.ForAll(UnicodeTexts.Any(), text =>
    {
        bool all = true;
        foreach (ITokenizer tokenizer in Tokenizers)
        {
            int[] ids = tokenizer.Encode(text);
            all &= Check(tokenizer, ids);
            IncrementalDecoder decoder = tokenizer.CreateDecoder();
            string whole = decoder.Append(ids);
            all &= decoder.Finish().Length == 0 && whole == tokenizer.Decode(ids);
        }

        return all;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void ACharacterComesWithItsLastByte()
    {
        IncrementalDecoder decoder = Tokenizers[0].CreateDecoder();
        Assert.Equal(["", "", "", "😀", "a", ""], new[] { 0xF0, 0x9F, 0x98, 0x80, 0x61, 0xC3 }.Select(b => decoder.Append(b + 3)));
        Assert.Equal("\uFFFD", decoder.Finish());
    }

    [Fact]
    public void AnInvalidByteOfSentencePieceIsOneReplacementAsInTheOriginal()
    {
        int[] cut = [0xE6 + 3, 0x95 + 3, 'a' + 3];
        Assert.Equal("\uFFFD\uFFFDa", Tokenizers[0].Decode(cut));
        Assert.Equal("\uFFFDa", Tokenizers[2].Decode([.. new byte[] { 0xE6, 0x95, (byte)'a' }.Select(b => ByteAlphabet.Order.IndexOf(b))]));
    }

    [Fact]
    public void AContinuationKeepsItsFirstSpace()
    {
        ITokenizer tokenizer = Tokenizers[0];
        int[] ids = tokenizer.EncodeContinuation(" was a cat");
        Assert.Equal("was a cat", tokenizer.Decode(ids));
        Assert.Equal(" was a cat", tokenizer.CreateDecoder(continuation: true).Append(ids));
        Assert.Equal([.. tokenizer.Encode("There"), .. ids], tokenizer.Encode("There was a cat"));
        Assert.Equal("was", tokenizer.CreateDecoder(continuation: true).Append(tokenizer.EncodeContinuation("was")));
    }

    private static bool Check(ITokenizer tokenizer, int[] ids)
    {
        StringBuilder text = new();
        IncrementalDecoder decoder = tokenizer.CreateDecoder();
        foreach (int id in ids)
        {
            string piece = decoder.Append(id);
            if (piece.Length > 0 && (char.IsHighSurrogate(piece[^1]) || char.IsLowSurrogate(piece[0])))
            {
                return false;
            }

            text.Append(piece);
        }

        text.Append(decoder.Finish());
        return text.ToString() == tokenizer.Decode(ids);
    }
}
