using System.Diagnostics;
using System.Globalization;
using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Tokenizers;
using ElderManaged.WeightsBuilder.Training;
using ElderManaged.WeightsBuilder.World;
using Spectre.Console;

namespace ElderManaged.WeightsBuilder;

/// <summary>The whole way from a seed to a folder with a model in it, read top to bottom.</summary>
internal sealed class Build(string output, string work)
{
    private const int Vocabulary = 4096;

    public TrainingOptions Training { get; init; } = new();

    public bool Resume { get; init; }

    public int StopAfter { get; init; } = int.MaxValue;

    public int Run(CancellationToken cancellation)
    {
        // 1. The world and its tasks.
        SyntheticWorld world = SyntheticWorld.Create(Training.Seed);
        TaskSplit[] tasks = GeneralTasks.Create(world, Training.Seed);
        AnsiConsole.WriteLine($"World: {world.Facts.Count} facts of {world.Relations.Count} relations; {tasks.Length} tasks.");

        // 2. The tokenizer.
        ByteLevelBpe tokenizer = Corpus.TrainTokenizer(world, tasks, Vocabulary, Training.Seed);
        AnsiConsole.WriteLine($"Tokenizer: {tokenizer.VocabularySize} tokens.");

        // 3. The model.
        Gpt2Config config = new()
        {
            VocabSize = tokenizer.VocabularySize, MaxPositions = 256, HiddenSize = 256, InnerSize = 1024, LayerCount = 6, HeadCount = 8,
            TieWordEmbeddings = true, EosTokenIds = new TokenIds(tokenizer.EndOfTextId), BosTokenId = tokenizer.EndOfTextId,
        };
        DocumentStream stream = new(epoch => Corpus.Epoch(world, tasks, epoch), tokenizer, Training.Seed);
        LanguageModelTrainer trainer = new(TransformerModel.CreateTrainable(config, Training.Seed), stream, Training);
        string checkpoint = Path.Combine(work, "checkpoint.safetensors");
        Directory.CreateDirectory(work);
        if (Resume && File.Exists(checkpoint))
        {
            TrainingCheckpoint.Load(checkpoint, trainer, stream);
            AnsiConsole.WriteLine($"Resumed at step {trainer.Step}.");
        }

        if (!Train(trainer, stream, checkpoint, cancellation))
        {
            AnsiConsole.WriteLine($"Stopped at step {trainer.Step}; go on with --resume.");
            return cancellation.IsCancellationRequested ? 130 : 0;
        }

        // 4. What ships: half-precision weights, and an exam of exactly those.
        trainer.Model.Save(output, StoredType.F16);
        tokenizer.Save(output);
        WorldFiles.Save(world, Path.Combine(output, "world"));
        GeneralTasks.Save(tasks, Path.Combine(output, "tasks"));
        Examine(output, $"dotnet run -c Release --project tools/WeightsBuilder -- --seed {Training.Seed} --steps {Training.Steps}");
        return 0;
    }

    /// <summary>Examines the model in a folder, prints the scores and writes them to its card.</summary>
    public static void Examine(string folder, string command)
    {
        ModelCard.Exam exam = ModelCard.Examine(folder);
        Table table = new();
        table.AddColumns("exam", "score");
        table.AddRow("facts, all wordings", Percent(exam.Facts));
        foreach ((string task, double score) in exam.Tasks)
        {
            table.AddRow(task, Percent(score));
        }

        table.AddRow("mean of the tasks", Percent(exam.TaskMean));
        AnsiConsole.Write(table);
        ModelCard.Write(folder, exam, command);

        static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:F1} %");
    }

    private bool Train(LanguageModelTrainer trainer, DocumentStream stream, string checkpoint, CancellationToken cancellation)
    {
        Stopwatch clock = Stopwatch.StartNew();
        int first = trainer.Step;
        long tokens = 0;
        double answer = double.NaN, prompt = double.NaN;
        while (trainer.Step < Training.Steps)
        {
            if (cancellation.IsCancellationRequested || trainer.Step >= StopAfter)
            {
                TrainingCheckpoint.Save(checkpoint, trainer);
                return false;
            }

            StepResult step = trainer.MakeStep();
            tokens += step.Tokens;
            answer = double.IsNaN(answer) ? step.AnswerLoss : (0.95 * answer) + (0.05 * step.AnswerLoss);
            prompt = double.IsNaN(prompt) ? step.PromptLoss : (0.95 * prompt) + (0.05 * step.PromptLoss);
            if (step.Step % 25 == 0 || step.Step == Training.Steps)
            {
                double perStep = clock.Elapsed.TotalSeconds / (step.Step - first);
                TimeSpan left = TimeSpan.FromSeconds(perStep * (Training.Steps - step.Step));
                AnsiConsole.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"step {step.Step}/{Training.Steps}  epoch {stream.Epoch + 1}  answers {answer:F3}  prompts {prompt:F3}  |g| {step.GradientNorm:F2}  {tokens / clock.Elapsed.TotalSeconds:F0} tokens/s  {left:hh\\:mm\\:ss} left"));
            }

            if (step.Step % Training.CheckpointEvery == 0)
            {
                TrainingCheckpoint.Save(checkpoint, trainer);
            }
        }

        TrainingCheckpoint.Save(checkpoint, trainer);
        return true;
    }
}
