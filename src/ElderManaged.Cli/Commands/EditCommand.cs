using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using ElderManaged.Cli.Bench;
using ElderManaged.Editing;
using ElderManaged.Editing.Journal;
using ElderManaged.Evaluation.Datasets;
using ElderManaged.Evaluation.Harness;
using ElderManaged.Evaluation.Reports;
using ElderManaged.Evaluation.Tasks;
using ElderManaged.Models.Hub;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Commands;

/// <summary><c>elder edit</c>: learns the edits of a file, measures what came of it and keeps the edited state.</summary>
internal static class EditCommand
{
    // Answers shown as text, and prompts about facts that are not edited.
    private const int ShownAnswers = 10, UneditedFacts = 200;

    private sealed record Settings(
        string Model, string Edits, string Out, int Limit, string Preset, int Batch, ZsreTarget Target, ulong Seed, bool Resume, bool Json)
    {
        public float? LearningRate { get; init; }

        public int? Iterations { get; init; }

        public string? Tasks { get; init; }

        public int TaskExamples { get; init; }

        public bool Evaluate { get; init; }

        public required string Device { get; init; }

        public bool TensorCores { get; init; }
    }

    public static Command Create(Terminal terminal, CancellationToken cancellationToken)
    {
        Option<string> model = Inputs.Model();
        Option<string> edits = new("--edits") { Description = "CounterFact or ZsRE as published, JSON Lines or CSV with prompt and target. With --data: how many of its records, like --limit.", Required = true };
        Option<string?> data = new("--data") { Description = "The file, when --edits is a number." };
        Option<string> output = new("--out") { Description = "The folder for the edited state; it must not exist unless --resume is given.", Required = true };
        Option<int> limit = new("--limit") { Description = "The first so many records are edited.", DefaultValueFactory = _ => 100 };
        Option<string> preset = new("--preset") { Description = $"The method: {string.Join(", ", EditMethods.Editing)} (paper for elder-paper).", DefaultValueFactory = _ => "elder" };
        Option<float?> rate = new("--lr") { Description = "The step size of training; the preset's own if not given." };
        Option<int?> iterations = new("--iterations") { Description = "The most steps for a batch; the preset's own if not given." };
        Option<int> batch = new("--batch") { Description = "Edits learned together.", DefaultValueFactory = _ => 4 };
        Option<string> target = new("--target") { Description = "Which answer of ZsRE is taught: answers or alt.", DefaultValueFactory = _ => "answers" };
        Option<string?> tasks = new("--tasks") { Description = "A folder with the general tasks that must not suffer; the folder tasks beside the model if there is one." };
        Option<int> taskExamples = new("--task-examples") { Description = "Examples of each general task.", DefaultValueFactory = _ => 50 };
        Option<bool> learnOnly = new("--learn-only") { Description = "Learn and save, but ask nothing afterwards." };
        Option<ulong> seed = Inputs.Seed();
        Option<int> threads = Inputs.Threads();
        Option<string> device = Inputs.Device();
        Option<bool> tensorCores = Inputs.TensorCores();
        Option<bool> resume = new("--resume") { Description = "Go on after the last finished batch of the state in --out." };
        Option<bool> json = Inputs.Json();
        Command command = new("edit", "Edits a model with the records of a file, evaluates it and saves the edited state.")
        {
            model, edits, data, output, limit, preset, rate, iterations, batch, target, tasks, taskExamples, learnOnly, seed, threads, device, tensorCores, resume, json,
        };
        command.SetAction(parsed =>
        {
            Inputs.UseThreads(parsed.GetValue(threads));
            (string file, int count) = Source(parsed.GetValue(data), parsed.GetValue(edits)!, parsed.GetValue(limit));
            Settings settings = new(
                parsed.GetValue(model)!, file, parsed.GetValue(output)!,
                Inputs.InRange("--limit", count, 1, int.MaxValue),
                Inputs.OneOf("--preset", EditMethods.FullName(parsed.GetValue(preset)!), EditMethods.Editing),
                Inputs.InRange("--batch", parsed.GetValue(batch), 1, 1024),
                Inputs.OneOf("--target", parsed.GetValue(target)!, ["answers", "alt"]) == "alt" ? ZsreTarget.Alt : ZsreTarget.Answers,
                parsed.GetValue(seed), parsed.GetValue(resume), parsed.GetValue(json))
            {
                LearningRate = Positive("--lr", parsed.GetValue(rate)),
                Iterations = parsed.GetValue(iterations) is { } steps ? Inputs.InRange("--iterations", steps, 1, int.MaxValue) : null,
                Tasks = parsed.GetValue(tasks),
                TaskExamples = Inputs.InRange("--task-examples", parsed.GetValue(taskExamples), 1, int.MaxValue),
                Evaluate = !parsed.GetValue(learnOnly),
                Device = parsed.GetValue(device)!,
                TensorCores = parsed.GetValue(tensorCores),
            };
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

        // The records behind the edited ones are facts of the same form that nobody edits.
        EditDataset dataset = EditDataset.Load(settings.Edits, new EditDatasetOptions
        {
            ZsreTarget = settings.Target, Limit = (int)Math.Min(int.MaxValue, (long)settings.Limit + UneditedFacts), RequireRephrasing = true,
        });
        EditRecord[] edited = [.. dataset.Records.Take(settings.Limit)];
        using Device device = Inputs.OpenDevice(settings.Device, settings.TensorCores, terminal);
        ElderModel model = Inputs.LoadModelOfState(settings.Model, terminal, device, settings.Json, cancellationToken);
        EditRequest[] requests = [.. edited.Select(r => r.Edit)];
        EditEvaluation evaluation = Evaluation(model, dataset, edited, settings);
        using ProgressLine progress = new(terminal);
        int before = settings.Resume ? Learned(settings, requests) : 0;
        Relay relay = new(settings.Preset, progress);
        if (settings.Preset == "elder" && !settings.Resume)
        {
            Calibrate(model, progress, cancellationToken);
        }

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
        ExperimentResult result = new(requests.Length, requests.Select(EditEncoder.FactIdOf).Distinct(StringComparer.Ordinal).Count(), []);
        if (settings.Evaluate)
        {
            MethodOutcome untouched = evaluation.Measure("base", new BaseEditor(model.Transformer), new StreamOutcome(0, 0, 0, []), progress, cancellationToken);
            MethodOutcome learned = evaluation.Measure(settings.Preset, session.Current, stream, progress, cancellationToken);
            result = result with { Methods = [learned.Result], Base = untouched.Result, Answers = AnswerSample.Pick(untouched, learned, ShownAnswers) };
        }

        progress.Dispose();
        Report(terminal, settings, dataset, result with { Learned = stream, PeakMemory = Statistics.PeakMemory() }, stream);
        return Program.Success;
    }

    // Once for each model; a resumed state has its own.
    private static void Calibrate(ElderModel model, ProgressLine progress, CancellationToken cancellationToken)
    {
        Stopwatch clock = Stopwatch.StartNew();
        model.Calibrate(Path.Combine(HubOptions.FromEnvironment().Home, "calibrations"), new Relayed(share =>
        {
            double pace = share / clock.Elapsed.TotalSeconds;
            progress.Report(new ExperimentProgress("elder", "calibrating, percent", (int)(100 * share), 100, 100 * pace, TimeSpan.FromSeconds((1 - share) / pace)));
        }), cancellationToken);
    }

    private static void Report(Terminal terminal, Settings settings, EditDataset dataset, ExperimentResult result, StreamOutcome stream)
    {
        string state = Path.GetFullPath(settings.Out);
        if (settings.Json)
        {
            terminal.Out.WriteLine(ResultJson.Write(result, state));
            return;
        }

        if (result.Base is { } @base)
        {
            ResultTable.Draw(terminal, [@base, .. result.Methods]);
            if (result.Methods[0].DeferralOfLocality is { } locality)
            {
                terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Of the data set's locality prompts {100 * locality:0.0} % are deferred to the base."));
            }

            foreach (AnswerSample sample in result.Answers)
            {
                terminal.Out.WriteLine($"{(sample.Rephrased ? "rephrased" : "edited")}: {sample.Prompt}");
                terminal.Out.WriteLine($"    wanted: {sample.Wanted} | base: {OneLine(sample.Base)} | edited: {OneLine(sample.Edited)}{(sample.InScope ? "" : " (out of scope)")}");
            }
        }

        terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{result.Edits} edits of {result.Facts} facts from {settings.Edits} ({dataset.Format}, {dataset.Skipped} records passed over). State: {state}"));
        terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Learned {stream.Edits} edits in {stream.Seconds:0.0} s, {stream.Seconds / Math.Max(1, stream.Edits):0.000} s each; {stream.AddedParameters:N0} parameters added. Peak memory {result.PeakMemory / (double)(1 << 30):0.00} GiB."));
    }

    private static string OneLine(string text) => string.Join(' ', text.Split((char[])['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

    // "--edits FILE --limit 1000" and "--data FILE --edits 1000" say the same.
    private static (string File, int Count) Source(string? data, string edits, int limit)
    {
        bool isNumber = int.TryParse(edits, NumberStyles.None, CultureInfo.InvariantCulture, out int count);
        return data is null
            ? isNumber && !File.Exists(edits)
                ? throw new UsageException($"--edits is {edits}; with a number, name the file with --data, or use --edits FILE --limit {edits}.")
                : (edits, limit)
            : isNumber
                ? (data, count)
                : throw new UsageException($"--edits is '{edits}' and --data is '{data}'; beside --data, --edits is the number of records to edit.");
    }

    private static float? Positive(string option, float? value) => value is null or (> 0 and < float.PositiveInfinity)
        ? value
        : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{option} is {value}; it must be a positive number."));

    // Rephrasings are held out; other facts of the file and the data set's locality prompts are what must be left alone.
    private static EditEvaluation Evaluation(ElderModel model, EditDataset dataset, EditRecord[] edited, Settings settings)
    {
        string folder = settings.Tasks ?? Path.Combine(model.Folder!, "tasks");
        EvaluationSet set = new(
            [.. edited.Select(r => r.Edit)],
            [.. edited.SelectMany(r => r.Rephrasings.Select(p => r.Edit with { Prompt = p }))],
            [.. Unedited(dataset, edited)],
            settings.Evaluate && (settings.Tasks is not null || Directory.Exists(folder)) ? TaskSuite.Load(folder, settings.TaskExamples) : null)
        {
            Locality = [.. edited.SelectMany(r => r.Locality.Select(l => l.Prompt)).Distinct(StringComparer.Ordinal)],
        };
        try
        {
            return new EditEvaluation(model, set);
        }
        catch (EditException exception)
        {
            throw new EditException($"{dataset.Path}: {exception.Message}", exception);
        }
    }

    // A prompt that is edited, or rephrases one that is, has no part among the others.
    private static IEnumerable<string> Unedited(EditDataset dataset, EditRecord[] edited)
    {
        HashSet<string> asked = new(edited.SelectMany(r => r.Rephrasings.Append(r.Edit.Prompt)), StringComparer.Ordinal);
        return dataset.Records.Skip(edited.Length).Select(r => r.Edit.Prompt).Where(asked.Add);
    }

    private static EditorSession Start(ElderModel model, Settings settings) =>
        model.StartSession(settings.Preset, EditMethods.Options(settings.Preset, settings.Seed, settings.LearningRate, settings.Iterations), settings.Out, settings.Batch);

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

    // Unlike Progress<T> on the thread that reports, so that lines come in order.
    private sealed class Relayed(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
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
