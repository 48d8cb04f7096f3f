using System.CommandLine;
using System.Globalization;
using ElderManaged.Editing;
using ElderManaged.Editing.Journal;
using ElderManaged.Evaluation.Datasets;
using ElderManaged.Evaluation.Harness;
using ElderManaged.Evaluation.Reports;
using ElderManaged.Evaluation.Tasks;

namespace ElderManaged.Cli.Commands;

/// <summary><c>elder edit</c>: learns the edits of a file, measures what came of it and keeps the edited state.</summary>
internal static class EditCommand
{
    private const int TaskExamples = 50;

    private sealed record Settings(
        string Model, string Edits, string Out, int Limit, string Preset, int Batch, ZsreTarget Target, ulong Seed, bool Resume, bool Json);

    public static Command Create(Terminal terminal, CancellationToken cancellationToken)
    {
        Option<string> model = Inputs.Model();
        Option<string> edits = new("--edits") { Description = "CounterFact or ZsRE as published, JSON Lines or CSV with prompt and target.", Required = true };
        Option<string> output = new("--out") { Description = "The folder for the edited state; it must not exist unless --resume is given.", Required = true };
        Option<int> limit = new("--limit") { Description = "The first so many records are edited.", DefaultValueFactory = _ => 100 };
        Option<string> preset = new("--preset") { Description = $"The method: {string.Join(", ", EditMethods.Editing)}.", DefaultValueFactory = _ => "elder" };
        Option<int> batch = new("--batch") { Description = "Edits learned together.", DefaultValueFactory = _ => 4 };
        Option<string> target = new("--target") { Description = "Which answer of ZsRE is taught: answers or alt.", DefaultValueFactory = _ => "answers" };
        Option<ulong> seed = Inputs.Seed();
        Option<int> threads = Inputs.Threads();
        Option<bool> resume = new("--resume") { Description = "Go on after the last finished batch of the state in --out." };
        Option<bool> json = Inputs.Json();
        Command command = new("edit", "Edits a model with the records of a file, evaluates it and saves the edited state.")
        {
            model, edits, output, limit, preset, batch, target, seed, threads, resume, json,
        };
        command.SetAction(parsed =>
        {
            Inputs.UseThreads(parsed.GetValue(threads));
            Settings settings = new(
                parsed.GetValue(model)!, parsed.GetValue(edits)!, parsed.GetValue(output)!,
                Inputs.InRange("--limit", parsed.GetValue(limit), 1, int.MaxValue),
                Inputs.OneOf("--preset", parsed.GetValue(preset)!, EditMethods.Editing),
                Inputs.InRange("--batch", parsed.GetValue(batch), 1, 1024),
                Inputs.OneOf("--target", parsed.GetValue(target)!, ["answers", "alt"]) == "alt" ? ZsreTarget.Alt : ZsreTarget.Answers,
                parsed.GetValue(seed), parsed.GetValue(resume), parsed.GetValue(json));
            return Run(terminal, settings, cancellationToken);
        });
        return command;
    }

    private static int Run(Terminal terminal, Settings settings, CancellationToken cancellationToken)
    {
        // Everything that can be wrong with the input is found before the first file is written.
        if (!settings.Resume && Path.Exists(settings.Out))
        {
            throw new UsageException($"--out is {settings.Out}, which exists already; name a new folder, or add --resume to go on with the state in it.");
        }

        EditDataset dataset = EditDataset.Load(settings.Edits, new EditDatasetOptions
        {
            ZsreTarget = settings.Target, Limit = settings.Limit, RequireRephrasing = true,
        });
        ElderModel model = Inputs.LoadModel(settings.Model);
        EditRequest[] requests = [.. dataset.Records.Select(r => r.Edit)];
        EditEvaluation evaluation = Evaluation(model, dataset);
        using ProgressLine progress = new(terminal);
        int before = settings.Resume ? Learned(settings, requests) : 0;
        Relay relay = new(settings.Preset, progress);
        using EditorSession session = settings.Resume ? model.OpenSession(settings.Out, cancellationToken) : Start(model, settings);
        EditSummary summary;
        try
        {
            summary = session.Edit(requests.Skip(before), relay, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            progress.Dispose();
            session.Save(settings.Out);
            terminal.Complain(string.Create(
                CultureInfo.InvariantCulture,
                $"Stopped after {before + relay.Done} of {requests.Length} edits; {settings.Out} holds the state of the last finished batch. Go on with --resume."));
            return Program.Cancelled;
        }

        session.Save(settings.Out);
        StreamOutcome stream = new(summary.Edits, summary.Seconds, session.AddedParameters, []);
        MethodOutcome outcome = evaluation.Measure(settings.Preset, session.Current, stream, progress, cancellationToken);
        progress.Dispose();
        int facts = requests.Select(EditEncoder.FactIdOf).Distinct(StringComparer.Ordinal).Count();
        ExperimentResult result = new(requests.Length, facts, [outcome.Result]);
        string state = Path.GetFullPath(settings.Out);
        if (settings.Json)
        {
            terminal.Out.WriteLine(ResultJson.Write(result, state));
        }
        else
        {
            ResultTable.Draw(terminal, result.Methods);
            terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{result.Edits} edits of {result.Facts} facts from {settings.Edits} ({dataset.Format}, {dataset.Skipped} records passed over). State: {state}"));
        }

        return Program.Success;
    }

    // Rephrasings are held out; the data set's locality prompts are what must be left alone.
    private static EditEvaluation Evaluation(ElderModel model, EditDataset dataset)
    {
        string tasks = Path.Combine(model.Folder!, "tasks");
        EvaluationSet set = new(
            [.. dataset.Records.Select(r => r.Edit)],
            [.. dataset.Records.SelectMany(r => r.Rephrasings.Select(p => r.Edit with { Prompt = p }))],
            [.. dataset.Records.SelectMany(r => r.Locality.Select(l => l.Prompt)).Distinct(StringComparer.Ordinal)],
            Directory.Exists(tasks) ? TaskSuite.Load(tasks, TaskExamples) : null);
        try
        {
            return new EditEvaluation(model, set);
        }
        catch (EditException exception)
        {
            throw new EditException($"{dataset.Path}: {exception.Message}", exception);
        }
    }

    private static EditorSession Start(ElderModel model, Settings settings) =>
        model.StartSession(settings.Preset, EditMethods.Options(settings.Preset, settings.Seed), settings.Out, settings.Batch);

    // How many of the requests the state knows; they must be the first ones.
    private static int Learned(Settings settings, EditRequest[] requests)
    {
        StateInfo info = EditState.ReadInfo(settings.Out);
        if (info.Method != settings.Preset || info.BatchSize != settings.Batch)
        {
            throw new UsageException($"The state in {settings.Out} was made with --preset {info.Method} --batch {info.BatchSize}; give the same to resume.");
        }

        using EditState state = EditState.Open(settings.Out);
        EditRequest[] learned = [.. state.Journal.Records.SelectMany(r => r.Edits)];
        return learned.Length <= requests.Length && learned.SequenceEqual(requests.Take(learned.Length))
            ? learned.Length
            : throw new UsageException($"The state in {settings.Out} holds {learned.Length} edits that are not the first of {settings.Edits}; resume with the same file and --limit, or name a new folder.");
    }

    private sealed class Relay(string method, IProgress<ExperimentProgress> progress) : IProgress<EditProgress>
    {
        public int Done { get; private set; }

        public void Report(EditProgress value)
        {
            Done = value.Done;
            progress.Report(new ExperimentProgress(method, "editing", value.Done, value.Total, 1 / Math.Max(1e-9, value.SecondsPerEdit), value.Remaining));
        }
    }
}
