using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Cli.Tests.Commands;

public sealed class ModelCommandTests : IDisposable
{
    private readonly Elder elder = new();

    [Fact]
    public void InfoTellsSizesTypesAndMemory()
    {
        Outcome outcome = Elder.Run("model", "info", Elder.Model, "--json");
        Assert.Equal(0, outcome.Code);
        Assert.Equal("gpt2", outcome.Json.GetProperty("architecture").GetString());
        Assert.Equal(2, outcome.Json.GetProperty("layers").GetInt32());
        Assert.Equal("F32", outcome.Json.GetProperty("types")[0].GetProperty("type").GetString());
        using Checkpoint checkpoint = Checkpoint.Open(Elder.Model);
        long parameters = checkpoint.Entries.Values.Sum(entry => entry.ElementCount);
        Assert.Equal(parameters, outcome.Json.GetProperty("parameters").GetInt64());
        Assert.Equal(4 * parameters, outcome.Json.GetProperty("weightBytes").GetInt64());
        Assert.Contains("architecture  gpt2", Elder.Run("model", "info", Elder.Model).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void ConvertWritesAModelThatAnswers()
    {
        string half = elder.PathOf("half");
        Outcome outcome = Elder.Run("model", "convert", "--model", Elder.Model, "--out", half, "--dtype", "f16");
        Assert.Equal(0, outcome.Code);
        Assert.Contains("vocab.json", outcome.Out, StringComparison.Ordinal);
        Assert.Equal("F16", Elder.Run("model", "info", half, "--json").Json.GetProperty("types")[0].GetProperty("type").GetString());
        Assert.Equal(0, Elder.Run("generate", "Person1 plays the", "--model", half).Code);
        Outcome wrong = Elder.Run("model", "convert", "--model", half, "--out", half);
        Assert.Equal(2, wrong.Code);
        Assert.Contains("name another folder", wrong.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void NewWritesRandomWeightsOfAShape()
    {
        string folder = elder.PathOf("new");
        Outcome outcome = Elder.Run("model", "new", "--shape", "tiny", "--dtype", "bf16", "--seed", "3", "--out", folder);
        Assert.Equal(0, outcome.Code);
        Assert.Contains("parameters", outcome.Out, StringComparison.Ordinal);
        Assert.Equal(6, TransformerModel.Load(folder).LayerCount);
        Assert.Equal(2, Elder.Run("model", "new", "--shape", "huge", "--out", folder).Code);
    }

    [Fact]
    public void FormatsPrintsTheTable() => Assert.Equal(ModelFormats.Markdown(), Elder.Run("model", "formats").Out);

    [Fact]
    public void WhatIsNoModelIsNamed()
    {
        Outcome outcome = Elder.Run("model", "info", elder.Write("x.gguf", "GGUF"));
        Assert.Equal(2, outcome.Code);
        Assert.Contains("x.gguf ends at byte 4, in the middle of the version", outcome.Error, StringComparison.Ordinal);
    }

    public void Dispose() => elder.Dispose();
}
