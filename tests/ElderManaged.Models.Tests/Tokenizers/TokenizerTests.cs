using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Tokenizers;

/// <summary>One call finds the tokenizer in whatever is there.</summary>
public sealed class TokenizerTests
{
    [Fact]
    public void TheFirstKnownFileOfAFolderIsTaken()
    {
        using TemporaryFolder folder = new();
        Assert.Contains("has no tokenizer", Assert.Throws<FileNotFoundException>(() => Tokenizer.Load(folder.Path)).Message, StringComparison.Ordinal);
        File.Copy(TokenizerFixtures.PathOf("tok512.bin"), folder.File("tok512.bin"));
        Assert.Equal(512, Tokenizer.Load(folder.Path).VocabularySize);
        File.WriteAllBytes(folder.File("weights.bin"), [1, 2, 3]);
        Assert.Equal(512, Tokenizer.Load(folder.File("weights.bin")).VocabularySize);
        File.WriteAllBytes(folder.File("a.gguf"), TokenizerFixtures.Gguf("gpt2.txt.gz", "gpt-2", specials: 0));
        Assert.Equal(50257, Tokenizer.Load(folder.Path).VocabularySize);
        BpeTrainer.Train([new("the", 3)], 258).Save(folder.Path);
        Assert.Equal(258, Tokenizer.Load(folder.Path).VocabularySize);
        Assert.Equal(258, Tokenizer.Load(folder.File("vocab.json")).VocabularySize);
        File.Copy(TokenizerFixtures.PathOf("tok512.model"), folder.File("tokenizer.model"));
        File.WriteAllText(folder.File("tokenizer_config.json"), """{"add_bos_token":false,"add_eos_token":true}""");
        ITokenizer model = Tokenizer.Load(folder.Path);
        Assert.IsType<SentencePieceTokenizer>(model);
        Assert.Empty(model.TextPrefix);
        Assert.Equal([2], model.TextSuffix);
        File.WriteAllText(folder.File("tokenizer.json"), TokenizerJson.TokenizerJsonTests.Valid().ToJsonString());
        Assert.IsType<ByteLevelBpe>(Tokenizer.Load(folder.Path));
    }

    [Fact]
    public void WhatCannotBeLoadedIsNamed()
    {
        using TemporaryFolder folder = new();
        Assert.Contains("nothing.json", Assert.Throws<FileNotFoundException>(() => Tokenizer.Load(folder.File("nothing.json"))).Message, StringComparison.Ordinal);
        File.WriteAllText(folder.File("x.txt"), "");
        Assert.Contains("x.txt", Assert.Throws<InvalidDataException>(() => Tokenizer.Load(folder.File("x.txt"))).Message, StringComparison.Ordinal);
        File.WriteAllText(folder.File("tokenizer.json"), "{\n \"model\": [,]}");
        Assert.Contains("line 2", Assert.Throws<InvalidDataException>(() => Tokenizer.Load(folder.Path)).Message, StringComparison.Ordinal);
        File.WriteAllText(folder.File("tokenizer.json"), new string('[', 100_000));
        Assert.Contains("tokenizer.json", Assert.Throws<InvalidDataException>(() => Tokenizer.Load(folder.Path)).Message, StringComparison.Ordinal);
        File.WriteAllText(folder.File("tokenizer.json"), """{"model":{"type":"\ud800"}}""");
        Assert.Contains("Unicode", Assert.Throws<InvalidDataException>(() => Tokenizer.Load(folder.Path)).Message, StringComparison.Ordinal);
        File.Delete(folder.File("tokenizer.json"));
        File.WriteAllText(folder.File("a.gguf"), "");
        File.WriteAllText(folder.File("b.gguf"), "");
        Assert.Contains("a.gguf, b.gguf", Assert.Throws<InvalidDataException>(() => Tokenizer.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MutilatedFilesEndInOneErrorOrATokenizerThatWorks()
    {
        string json = TokenizerJson.TokenizerJsonTests.Valid().ToJsonString();
        byte[] model = File.ReadAllBytes(TokenizerFixtures.PathOf("tok512.model"));
        (string Name, byte[] Content)[] files =
        [
            ("x.model", model),
            ("tok.bin", File.ReadAllBytes(TokenizerFixtures.PathOf("tok512.bin"))),
            ("tokenizer.json", System.Text.Encoding.UTF8.GetBytes(json)),
            ("x.gguf", TokenizerFixtures.Gguf(TokenizerFixtures.Read(TokenizerFixtures.PathOf("tok512.model")))),
        ];
        RandomSource random = new(11);
        using TemporaryFolder folder = new();
        foreach ((string name, byte[] content) in files)
        {
            int refused = 0;
            for (int round = 0; round < 400; round++)
            {
                byte[] bad = round % 4 == 0 ? content[..random.Next(content.Length)] : [.. content];
                for (int i = 0; bad.Length > 0 && i < round % 7; i++)
                {
                    bad[random.Next(bad.Length)] = (byte)random.Next(256);
                }

                File.WriteAllBytes(folder.File(name), bad);
                try
                {
                    ITokenizer tokenizer = Tokenizer.Load(folder.File(name));
                    tokenizer.Decode(tokenizer.Encode("Once upon a time 12 数学 <s> 😀"));
                }
                catch (Exception exception) when (exception is InvalidDataException or CheckpointException)
                {
                    refused++;
                    Assert.Contains(name, exception.Message, StringComparison.Ordinal);
                }
            }

            Assert.True(refused > 50, $"{name}: {refused} refused");
        }
    }
}
