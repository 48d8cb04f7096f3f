using ElderManaged.Models;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Testing;
using ElderManaged.WeightsBuilder.Training;
using ElderManaged.WeightsBuilder.World;

namespace ElderManaged.WeightsBuilder.Tests.Training;

/// <summary>What is committed in <c>weights/elder-tiny</c> is what the builder makes: its world, its tokenizer, a model that knows it.</summary>
public sealed class ShippedModelTests
{
    private static readonly string Folder = Path.Combine(SharedData.RequireRepository(), "weights", "elder-tiny");

    [Fact]
    public void ItKnowsItsWorld()
    {
        double known = ModelExam.Facts(TransformerModel.Load(Folder), ByteLevelBpe.Load(Folder), WorldFiles.Load(Path.Combine(Folder, "world")), every: 13);
        Assert.InRange(known, 0.95, 1);
    }

    [Fact]
    public void ItsWorldAndTokenizerAreTheBuilders()
    {
        SyntheticWorld made = SyntheticWorld.Create(1), shipped = WorldFiles.Load(Path.Combine(Folder, "world"));
        Assert.Equal(made.Facts, shipped.Facts);
        ByteLevelBpe tokenizer = Corpus.TrainTokenizer(made, GeneralTasks.Create(made, 1), 4096, 1);
        Assert.Equal(tokenizer.Merges, ByteLevelBpe.Load(Folder).Merges);
    }

    [Fact]
    public void AllOfItTakesAtMostSixteenMegabytes() => Assert.InRange(
        Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length), 1, 16_000_000);
}
