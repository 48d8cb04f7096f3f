using System.Globalization;
using System.Text;
using ElderManaged.Evaluation.Tasks;
using ElderManaged.Models;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Tensors.Storage;
using ElderManaged.WeightsBuilder.World;

namespace ElderManaged.WeightsBuilder.Training;

/// <summary>Examines a finished model and writes what it found beside it, for people: <c>README.md</c>.</summary>
public static class ModelCard
{
    /// <summary>What the exam found.</summary>
    /// <param name="Facts">The share of facts known over all wordings.</param>
    /// <param name="Tasks">The score of each general task on its test split.</param>
    public sealed record Exam(double Facts, IReadOnlyList<(string Task, double Score)> Tasks)
    {
        /// <summary>The mean over the tasks.</summary>
        public double TaskMean => Tasks.Average(task => task.Score);
    }

    /// <summary>Asks the model in a folder all facts in all wordings, and the test splits of all tasks.</summary>
    public static Exam Examine(string folder)
    {
        TransformerModel model = TransformerModel.Load(folder);
        ByteLevelBpe tokenizer = ByteLevelBpe.Load(folder);
        SyntheticWorld world = WorldFiles.Load(Path.Combine(folder, "world"));
        double facts = ModelExam.Facts(model, tokenizer, world);
        IReadOnlyList<TaskOutcome> outcomes = TaskSuite.Load(Path.Combine(folder, "tasks"))
            .Run(tokenizer, prompts => Models.Generation.PromptBatch.OfBase(model, prompts));
        return new Exam(facts, TaskSuite.Scores(outcomes));
    }

    /// <summary>Writes the card.</summary>
    public static void Write(string folder, Exam exam, string command)
    {
        TransformerModel model = TransformerModel.Load(folder);
        SyntheticWorld world = WorldFiles.Load(Path.Combine(folder, "world"));
        ModelConfig c = model.Config;
        StringBuilder card = new();
        void Line(FormattableString text) => card.Append(text.ToString(CultureInfo.InvariantCulture)).Append('\n');
        Line($"# elder-tiny");
        Line($"");
        Line($"A small language model of an invented world, made to be edited: it shows in seconds what an editing method keeps, what it generalises and what it leaves alone. Nothing it knows is true outside of its world.");
        Line($"");
        Line($"| | |");
        Line($"|---|---|");
        Line($"| architecture | GPT-2: {c.LayerCount} layers, width {c.HiddenSize}, {c.HeadCount} heads, inner width {c.InnerSize}, {c.MaxPositions} positions |");
        Line($"| vocabulary | {c.VocabSize} tokens, byte-level BPE trained on the same text |");
        Line($"| weights | `model.safetensors`, float16, Hugging Face names |");
        Line($"| world | `world/`: {world.Facts.Count} facts of {world.Relations.Count} relations, each relation in {world.Relations.Min(r => r.Wordings.Length)} wordings or more |");
        Line($"| general tasks | `tasks/`: {exam.Tasks.Count} tasks, train and test splits |");
        Line($"| licence | MIT, as the code; trained only on text that the same command generates |");
        Line($"");
        Line($"## What it knows");
        Line($"Printed by `dotnet run -c Release --project tools/WeightsBuilder -- exam`:");
        Line($"");
        Line($"| exam | score |");
        Line($"|---|---:|");
        Line($"| facts, over all wordings (greedy answer and its end right) | {100 * exam.Facts:F1} % |");
        foreach ((string task, double score) in exam.Tasks)
        {
            Line($"| {task} ({TaskMetric.Of(task).Name}, test split) | {100 * score:F1} % |");
        }

        Line($"| mean of the tasks | {100 * exam.TaskMean:F1} % |");
        Line($"");
        Line($"## How it was made");
        Line($"`{command}` writes the world, trains tokenizer and model, and writes this folder. The same command and seed give the same bits, for any number of threads.");
        Line($"");
        Line($"## Limits");
        Line($"It is no assistant. It completes the wordings of its world and of its tasks; on other text it babbles.");
        AtomicFile.Write(Path.Combine(folder, "README.md"), stream => stream.Write(Encoding.UTF8.GetBytes(card.ToString())));
    }
}
