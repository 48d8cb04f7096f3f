using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using ElderManaged.Editing;
using ElderManaged.Editing.Elder;
using ElderManaged.Evaluation.Harness;
using ElderManaged.Evaluation.Reports;
using ElderManaged.Evaluation.Tasks;
using ElderManaged.Evaluation.Worlds;
using ElderManaged.Tensors;
using ElderManaged.Tensors.Storage;

namespace ElderManaged.Cli.Commands;

/// <summary><c>elder demo</c>: one stream of edits, every method beside the others, one table and one report.</summary>
internal static class DemoCommand
{
    private const int FewestCalibrationFacts = 100;
    private static readonly DemoOptions Defaults = new();

    public static Command Create(Terminal terminal, CancellationToken cancellationToken)
    {
        Option<string> model = Inputs.Model();
        Option<int> edits = new("--edits") { Description = "Edits of the stream, two wordings of each fact.", DefaultValueFactory = _ => Defaults.Edits };
        Option<string[]> methods = new("--methods")
        {
            Description = $"Methods to run: {string.Join(", ", EditMethods.All)}.", AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => [.. EditMethods.All],
        };
        Option<ulong> seed = Inputs.Seed();
        Option<int> threads = Inputs.Threads();
        Option<string> device = Inputs.Device();
        Option<bool> tensorCores = Inputs.TensorCores();
        Option<bool> json = Inputs.Json();
        Option<string> report = new("--report") { Description = "The HTML file to write.", DefaultValueFactory = _ => "report.html" };
        Command command = new("demo", "Streams counterfactual edits into the small base model with every method and compares what comes of it.")
        {
            model, edits, methods, seed, threads, device, tensorCores, json, report,
        };
        command.SetAction(parsed =>
        {
            Inputs.UseThreads(parsed.GetValue(threads));
            DemoOptions options = Defaults with { Edits = Inputs.InRange("--edits", parsed.GetValue(edits), 1, int.MaxValue), Seed = parsed.GetValue(seed) };
            string[] names = [.. parsed.GetValue(methods)!.SelectMany(m => m.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).Distinct()];
            foreach (string name in names)
            {
                Inputs.OneOf("--methods", name, EditMethods.All);
            }

            using Device computing = Inputs.OpenDevice(parsed.GetValue(device)!, parsed.GetValue(tensorCores), terminal);
            return Run(terminal, parsed.GetValue(model)!, computing, names, options, parsed.GetValue(json), Path.GetFullPath(parsed.GetValue(report)!), cancellationToken);
        });
        return command;
    }

    private static int Run(
        Terminal terminal, string modelFolder, Device device, IReadOnlyList<string> methods, DemoOptions options, bool json, string report, CancellationToken cancellationToken)
    {
        if (Directory.Exists(report) || !Directory.Exists(Path.GetDirectoryName(report)))
        {
            throw new UsageException($"--report is {report}; it must be a file in a folder that exists.");
        }

        Stopwatch watch = Stopwatch.StartNew();
        ElderModel model = Inputs.LoadModel(modelFolder, terminal, device);
        FactWorld world = FactWorld.Load(Path.Combine(model.Folder!, "world"));
        TaskSuite tasks = TaskSuite.Load(Path.Combine(model.Folder!, "tasks"), options.TaskExamples);
        DemoPlan plan = DemoPlan.Create(world, tasks, options);
        DemoExperiment experiment = new(model, plan, options);
        IReadOnlyList<MethodOutcome> outcomes;
        using (ProgressLine progress = new(terminal))
        {
            // Texts of any kind do for sketches; the facts are the world's own, of the kind that is asked, if it has some to spare.
            Lazy<SketchCalibration> calibration = new(() => SketchCalibration.Fit(
                model.Transformer, model.Tokenizer, BuiltInCalibration.Texts(),
                plan.Calibration.Count >= FewestCalibrationFacts ? plan.Calibration : BuiltInCalibration.Facts()));
            outcomes = experiment.Run(
                methods, name => EditMethods.Create(name, model, options.Seed, name == "elder" ? calibration.Value : null), progress, cancellationToken);
        }

        ExperimentResult result = experiment.Summarize(outcomes);
        (string, string)[] facts =
        [
            ("Base model", $"{Path.GetFileName(model.Folder)}, {model.Transformer.Config.ModelType}, {model.Transformer.LayerCount} layers of width {model.Transformer.Width}"),
            ("Base model, SHA-256", model.Hash),
            ("Edits", string.Create(CultureInfo.InvariantCulture, $"{result.Edits} of {result.Facts} counterfactual facts, in batches of {options.BatchSize}")),
            ("Asked afterwards", string.Create(CultureInfo.InvariantCulture, $"{plan.Set.HeldOut.Count} other wordings, {plan.Set.Unedited.Count} prompts about unedited facts, {tasks.Examples.Count} examples of eight general tasks")),
            ("Seed", options.Seed.ToString(CultureInfo.InvariantCulture)),
            ("Time", string.Create(CultureInfo.InvariantCulture, $"{watch.Elapsed.TotalSeconds:0.0} s on {CpuThreads.Count} threads")),
        ];
        byte[] html = Encoding.UTF8.GetBytes(HtmlReport.Write("Lifelong model editing: a demonstration", facts, result, outcomes, plan.Truths));
        AtomicFile.Write(report, stream => stream.Write(html));
        if (json)
        {
            terminal.Out.WriteLine(ResultJson.Write(result));
        }
        else
        {
            ResultTable.Draw(terminal, result.Methods);
            terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{result.Edits} edits of {result.Facts} facts; {watch.Elapsed.TotalSeconds:0.0} s in all. Report: {report}"));
        }

        return Program.Success;
    }
}
