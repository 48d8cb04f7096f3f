using ElderManaged.Editing.Elder;
using ElderManaged.Models;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Tests.Elder;

/// <summary>What ELDER adds to the models of the paper, counted from their sizes alone.</summary>
public sealed class AddedParametersTests
{
    private static readonly ModelConfig Gpt2Xl = new Gpt2Config
    {
        VocabSize = 50257, MaxPositions = 1024, HiddenSize = 1600, InnerSize = 6400, LayerCount = 48, HeadCount = 25, TieWordEmbeddings = true,
    };

    private static readonly ModelConfig Llama2 = new LlamaConfig
    {
        VocabSize = 32000, MaxPositions = 4096, HiddenSize = 4096, InnerSize = 11008, LayerCount = 32, HeadCount = 32, KeyValueHeadCount = 32,
        RmsNormEpsilon = 1e-5f, TieWordEmbeddings = false,
    };

    [Fact]
    public void Gpt2XlGetsThePapersLayersAndCount()
    {
        TransformerModel model = TransformerModel.Outline(Gpt2Xl);
        ElderOptions options = ElderOptions.Paper(model);
        Assert.Equal([35, 36, 37, 38, 39, 40], options.Layers);
        Assert.Equal("transformer.h.35.mlp.c_fc", model.FeedForwardName(35, model.ElderSite));
        long count = Mixture.CountFor(model, options);
        Assert.Equal(6 * ((4 * 8 * (1600 + 6400)) + (4 * 1601)), count);
        Assert.Equal(1.57, count / 1e6, 0.005);
    }

    [Fact]
    public void Llama2GetsThePapersLayersAndCount()
    {
        TransformerModel model = TransformerModel.Outline(Llama2);
        ElderOptions options = ElderOptions.Paper(model);
        Assert.Equal([21, 22, 23, 24, 25, 26], options.Layers);
        Assert.Equal("model.layers.21.mlp.down_proj", model.FeedForwardName(21, model.ElderSite));
        long count = Mixture.CountFor(model, options);
        Assert.Equal(6 * ((4 * 8 * (11008 + 4096)) + (4 * 11009)), count);
        Assert.Equal(3.16, count / 1e6, 0.005);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void TheCountIsThatOfTheMixtureThatIsMade(bool paper)
    {
        foreach (string architecture in new[] { "gpt2", "llama" })
        {
            TransformerModel model = MixtureTrainingTests.ModelOf(architecture);
            ElderOptions options = MixtureTrainingTests.OptionsOf(model, paper);
            Assert.Equal(Mixture.Create(model, options, new RandomSource(1)).Count, Mixture.CountFor(TransformerModel.Outline(model.Config), options));
        }
    }
}
