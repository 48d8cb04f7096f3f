using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;
using ElderManaged.Nn;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Weights;

public sealed class StoredWeightTests
{
    private static readonly ModelConfig[] Configs =
    [
        new Gpt2Config
        {
            VocabSize = 97, MaxPositions = 20, HiddenSize = 32, InnerSize = 96, LayerCount = 2, HeadCount = 4,
            TieWordEmbeddings = true, EosTokenIds = new TokenIds(96),
        },
        new LlamaConfig
        {
            VocabSize = 89, MaxPositions = 20, HiddenSize = 64, InnerSize = 96, LayerCount = 2, HeadCount = 4, KeyValueHeadCount = 2,
            RmsNormEpsilon = 1e-5f, TieWordEmbeddings = false, EosTokenIds = new TokenIds(88),
        },
    ];

    [Theory]
    [InlineData(0, StoredType.F16, StoredNumbers.Float16)]
    [InlineData(0, StoredType.BF16, StoredNumbers.BFloat16)]
    [InlineData(1, StoredType.F16, StoredNumbers.Float16)]
    [InlineData(1, StoredType.BF16, StoredNumbers.BFloat16)]
    public void HalfWidthWeightsStayAsTheyAreAndGiveTheBitsOfFloat32(int which, StoredType type, StoredNumbers numbers)
    {
        using TemporaryFolder folder = new();
        TransformerModel.CreateTrainable(Configs[which], seed: 7).Save(folder.Path, type);
        TransformerModel stored = TransformerModel.Load(folder.Path);
        TransformerModel widened = TransformerModel.Load(folder.Path, new LoadOptions { Weights = StoredNumbers.Float32 });
        Assert.Equal(numbers, Weight(stored).Numbers);
        Assert.Equal(StoredNumbers.Float32, Weight(widened).Numbers);
        Assert.Equal(Logits(widened), Logits(stored));

        // Saved again in the same format, nothing has changed.
        using TemporaryFolder second = new();
        stored.Save(second.Path, type);
        Assert.Equal(File.ReadAllBytes(Path.Combine(folder.Path, "model.safetensors")), File.ReadAllBytes(Path.Combine(second.Path, "model.safetensors")));
    }

    [Theory]
    [InlineData(0, StoredNumbers.Float16, 2e-3)]
    [InlineData(1, StoredNumbers.BFloat16, 2e-2)]
    [InlineData(0, StoredNumbers.Q8_0, 3e-2)]
    [InlineData(1, StoredNumbers.Q8_0, 3e-2)]
    [InlineData(1, StoredNumbers.Q4_0, 0.5)]
    [InlineData(0, StoredNumbers.Q4_1, 0.5)]
    public void WeightsAreRoundedOnLoadingWhenAsked(int which, StoredNumbers numbers, double tolerance)
    {
        using TemporaryFolder folder = new();
        TransformerModel.CreateTrainable(Configs[which], seed: 7).Save(folder.Path);
        TransformerModel rounded = TransformerModel.Load(folder.Path, new LoadOptions { Weights = numbers });
        Assert.Equal(numbers, Weight(rounded).Numbers);
        float[] expected = Logits(TransformerModel.Load(folder.Path));
        float[] actual = Logits(rounded);
        double size = Math.Sqrt(expected.Average(v => (double)v * v));
        double error = Math.Sqrt(expected.Zip(actual, (a, b) => ((double)a - b) * ((double)a - b)).Average());
        Assert.InRange(error, size * 1e-6, size * tolerance);
    }

    [Fact]
    public void AnInfiniteNumberInAHalfWidthMatrixIsADamagedFile()
    {
        using TemporaryFolder folder = new();
        TransformerModel model = TransformerModel.CreateTrainable(Configs[1], seed: 7);
        Span<float> weight = model.Parameters.Single(p => p.Name == "model.layers.1.mlp.up_proj.weight").Value.Span;
        weight[17] = weight[18] = 12344f; // 0x7207 in float16, easy to find in the file
        model.Save(folder.Path, StoredType.F16);
        string path = Path.Combine(folder.Path, "model.safetensors");
        byte[] file = File.ReadAllBytes(path);
        int at = file.AsSpan().LastIndexOf((ReadOnlySpan<byte>)[0x07, 0x72, 0x07, 0x72]);
        file[at] = 0x00;
        file[at + 1] = 0x7C; // infinity
        File.WriteAllBytes(path, file);
        CheckpointException error = Assert.Throws<CheckpointException>(() => TransformerModel.Load(folder.Path));
        Assert.Contains("the tensor model.layers.1.mlp.up_proj.weight holds a number that is infinite or not a number", error.Message, StringComparison.Ordinal);
    }

    private static FrozenMatrix Weight(TransformerModel model) => ((FrozenLinear)model.FeedForward(0, FeedForwardSite.Contract)).Weight;

    private static float[] Logits(TransformerModel model)
    {
        int[] ids = [5, 9, 2, 7, 1, 88, 0];
        return model.Logits(model.Forward(ids, new ForwardContext(new SequenceLayout([ids.Length])))).Span.ToArray();
    }
}
