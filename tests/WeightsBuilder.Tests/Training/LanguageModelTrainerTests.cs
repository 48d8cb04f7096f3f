using ElderManaged.Models;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Tensors;
using ElderManaged.Testing;
using ElderManaged.WeightsBuilder.Training;
using ElderManaged.WeightsBuilder.World;

namespace ElderManaged.WeightsBuilder.Tests.Training;

public sealed class LanguageModelTrainerTests
{
    private static readonly Document[] Documents =
    [
        .. Enumerable.Range(0, 40).Select(i => new Document($"The number after {i} is", $"{i + 1}", DocumentKind.Fact)),
    ];

    private static readonly ByteLevelBpe Tokenizer = BpeTrainer.Train(BpeTrainer.CountWords(Documents.Select(d => d.Text)), 320);

    private static readonly TrainingOptions Options = new() { Steps = 12, TokensPerStep = 200, Warmup = 3, LearningRate = 5e-3f, Seed = 3 };

    [Fact]
    public void TheLossFalls()
    {
        (LanguageModelTrainer trainer, _) = Make();
        float first = trainer.MakeStep().AnswerLoss, last = 0;
        while (trainer.Step < Options.Steps)
        {
            last = trainer.MakeStep().AnswerLoss;
        }

        Assert.True(last < 0.8f * first, $"The loss went from {first} to {last}.");
    }

    [Fact]
    public void SameSeedSameBitsWhateverTheThreads()
    {
        int threads = CpuThreads.Count;
        try
        {
            float[][] runs = [.. new[] { 1, 2, 3 }.Select(count =>
            {
                CpuThreads.Count = count;
                (LanguageModelTrainer trainer, _) = Make();
                for (int i = 0; i < 5; i++)
                {
                    trainer.MakeStep();
                }

                return Weights(trainer);
            })];
            Assert.Equal(runs[0], runs[1]);
            Assert.Equal(runs[0], runs[2]);
        }
        finally
        {
            CpuThreads.Count = threads;
        }
    }

    [Fact]
    public void ResumedTrainingGivesTheBitsOfUninterrupted()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("checkpoint.safetensors");
        (LanguageModelTrainer whole, _) = Make();
        for (int i = 0; i < 9; i++)
        {
            whole.MakeStep();
            if (i == 3)
            {
                TrainingCheckpoint.Save(path, whole);
            }
        }

        (LanguageModelTrainer resumed, DocumentStream stream) = Make();
        TrainingCheckpoint.Load(path, resumed, stream);
        Assert.Equal(4, resumed.Step);
        for (int i = 4; i < 9; i++)
        {
            resumed.MakeStep();
        }

        Assert.Equal(Weights(whole), Weights(resumed));
    }

    [Fact]
    public void AStreamTakesEveryDocumentOfAnEpochOnce()
    {
        DocumentStream stream = Stream();
        List<TokenDocument> taken = [];
        while (stream.Position < Documents.Length)
        {
            taken.AddRange(stream.Take(60));
        }

        Assert.Equal(
            Documents.Select(d => string.Join(' ', d.Tokens(Tokenizer).Ids)).Order(),
            taken.Take(Documents.Length).Select(d => string.Join(' ', d.Ids)).Order());
    }

    private static (LanguageModelTrainer Trainer, DocumentStream Stream) Make()
    {
        Gpt2Config config = new()
        {
            VocabSize = Tokenizer.VocabularySize, MaxPositions = 32, HiddenSize = 32, InnerSize = 64, LayerCount = 2, HeadCount = 4,
            TieWordEmbeddings = true, EosTokenIds = new TokenIds(Tokenizer.EndOfTextId),
        };
        DocumentStream stream = Stream();
        return (new LanguageModelTrainer(TransformerModel.CreateTrainable(config, 1), stream, Options), stream);
    }

    private static DocumentStream Stream() => new(
        epoch =>
        {
            Document[] documents = [.. Documents];
            new RandomSource(epoch).Shuffle<Document>(documents);
            return documents;
        },
        Tokenizer,
        Options.Seed);

    private static float[] Weights(LanguageModelTrainer trainer) => [.. trainer.Model.Parameters.SelectMany(p => p.Value.Span.ToArray())];
}
