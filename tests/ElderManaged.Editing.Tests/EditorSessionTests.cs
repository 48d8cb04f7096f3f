using ElderManaged.Editing.Elder;
using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Generation;
using ElderManaged.Testing;

namespace ElderManaged.Editing.Tests;

public sealed class EditorSessionTests : IDisposable
{
    private const string Options = """{"learningRate":0.02,"iterations":40,"rank":8}""";
    private static readonly EditRequest[] All = [.. TinyModels.Facts, .. TinyModels.MoreFacts];
    private readonly TemporaryFolder folder = new();
    private readonly ElderModel model = TinyModels.Gpt2;

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Ten_lines_teach_ask_and_open_again()
    {
        string state = folder.File("edits");
        Answer before = model.Ask("The capital of Brevia is", 5), after;
        using (EditorSession session = model.StartSession("lora", Options, state))
        {
            session.Edit(new EditRequest("The capital of Brevia is", "Rome") { Subject = "Brevia" });
            after = session.Ask("The capital of Brevia is", 5);
        }

        using EditorSession opened = ElderModel.Open(state);

        Assert.NotEqual("Rome", before.Text);
        Assert.False(before.InScope);
        Assert.Equal(("Rome", true), (after.Text, after.InScope));
        Assert.Equal(after, opened.Ask("The capital of Brevia is", 5));
        Assert.Equal(["The capital of Brevia is → Rome"], opened.Facts);
    }

    [Theory]
    [InlineData("lora", false)]
    [InlineData("lora", true)]
    [InlineData("ft-l", true)]
    [InlineData("elder", true)]
    [InlineData("elder-paper", false)]
    public void Stopped_opened_and_continued_has_the_bits_of_never_stopped(string method, bool snapshot)
    {
        string options = method switch
        {
            "lora" => Options,
            "ft-l" => """{"learningRate":0.02,"clamp":1,"maxSteps":20}""",
            _ => """{"learningRate":0.01,"iterations":20}""",
        };
        EditorSession whole = model.StartSession(method, options, batchSize: 2);
        whole.Edit(All);
        using (EditorSession first = model.StartSession(method, options, folder.File("s"), batchSize: 2))
        {
            first.Edit(All[..4]);
            if (snapshot)
            {
                first.Save(folder.File("s"));
            }
        }

        using EditorSession second = ElderModel.Open(folder.File("s"));
        second.Edit(All[4..]);

        Assert.Equal(snapshot ? ["snapshot-000002"] : [], Directory.GetDirectories(folder.File("s")).Select(Path.GetFileName));
        Assert.Equal(TinyModels.Scores(model, whole.Current), TinyModels.Scores(model, second.Current));
    }

    [Fact]
    public void Elder_keeps_the_calibration_it_was_started_with()
    {
        SketchCalibration own = SketchCalibration.Fit(
            model.Transformer, model.Tokenizer, BuiltInCalibration.Texts(200, seed: 2), BuiltInCalibration.Facts(60, seed: 2));
        string[] prompts = ["The capital of Brevia is", "Brevia has as its capital", "Old maps of Sarn show"];
        EditorSession memory = model.StartSession("elder", calibration: own);
        memory.Edit(TinyModels.Facts);
        IReadOnlyList<Answer> expected = memory.Ask(prompts, 4);
        memory.Save(folder.File("saved"));
        using (EditorSession journalled = model.StartSession("elder", folder: folder.File("journalled"), calibration: own))
        {
            journalled.Edit(TinyModels.Facts);
        }

        foreach (string state in (string[])["saved", "journalled"])
        {
            using EditorSession opened = ElderModel.Open(folder.File(state));
            Assert.Equal(expected, opened.Ask(prompts, 4));
        }

        EditorSession other = model.StartSession("elder"); // the model's own calibration judges otherwise
        other.Edit(TinyModels.Facts);
        Assert.NotEqual(expected[1].Evidence, other.Ask(prompts, 4)[1].Evidence);
    }

    [Fact]
    public void Saved_from_memory_it_opens_with_the_same_bits_and_is_never_half_written()
    {
        EditorSession session = model.StartSession("lora", Options);
        session.Edit(All[..4]);
        session.Save(folder.File("copy"));

        using EditorSession opened = ElderModel.Open(folder.File("copy"));

        Assert.Equal(TinyModels.Scores(model, session.Current), TinyModels.Scores(model, opened.Current));
        Assert.Equal(["copy"], Directory.GetDirectories(folder.Path).Select(Path.GetFileName));
        Assert.Contains("exists already", Assert.Throws<EditException>(() => session.Save(folder.File("copy"))).Message);
    }

    [Fact]
    public void A_dropped_fact_leaves_what_learning_the_others_gives_also_after_opening()
    {
        EditorSession others = model.StartSession("lora", Options, batchSize: 2);
        others.Edit(All[..1]); // the batch of two, without the second
        others.Edit(All[2..4]);
        using (EditorSession session = model.StartSession("lora", Options, folder.File("s"), batchSize: 2))
        {
            session.Edit(All[..4]);
            Assert.False(session.Forget("nothing of the kind"));
            Assert.True(session.Forget("Ada Quill plays the → violin"));
            Assert.Equal(3, session.Facts.Count);
            Assert.Equal(TinyModels.Scores(model, others.Current), TinyModels.Scores(model, session.Current));
        }

        using EditorSession opened = ElderModel.Open(folder.File("s"));
        Assert.Equal(TinyModels.Scores(model, others.Current), TinyModels.Scores(model, opened.Current));
        Assert.DoesNotContain("Ada Quill plays the → violin", opened.Facts);
    }

    [Fact]
    public void Elder_answers_what_it_was_taught_and_leaves_everything_else_and_what_it_forgot_to_the_base()
    {
        string state = folder.File("s");
        Answer untouched = model.Ask("The moon of Vell is", 8), before = model.Ask(All[1].Prompt, 8), rome;
        using (EditorSession session = model.StartSession("elder", """{"learningRate":0.02}""", state))
        {
            session.Edit(TinyModels.Facts);
            rome = session.Ask(All[0].Prompt, 8);
            Assert.Equal(("Rome", true, "The capital of Brevia is → Rome"), (rome.Text, rome.InScope, rome.FactId));
            Assert.Equal((untouched.Text, false), (session.Ask("The moon of Vell is", 8).Text, session.Ask("The moon of Vell is", 8).InScope));
            Assert.True(session.Forget("Ada Quill plays the → violin"));
        }

        using EditorSession opened = ElderModel.Open(state);
        Assert.Equal("elder", opened.Method);
        Assert.Equal(rome, opened.Ask(All[0].Prompt, 8));
        Assert.Equal((before.Text, false), (opened.Ask(All[1].Prompt, 8).Text, opened.Ask(All[1].Prompt, 8).InScope));
    }

    [Fact]
    public void Progress_counts_acknowledged_edits_and_a_bad_request_stops_all_before_the_first()
    {
        List<EditProgress> reports = [];
        EditorSession session = new(model, new GatedEditor(model.Transformer), batchSize: 3);

        EditSummary summary = session.Edit(All, new Collect(reports));
        EditException error = Assert.Throws<EditException>(() => session.Edit([new("New fact is", "one"), new("Empty is", "")]));

        Assert.Equal([3, 6, 7], reports.Select(r => r.Done));
        Assert.All(reports, r => Assert.Equal(7, r.Total));
        Assert.Equal(TimeSpan.Zero, reports[^1].Remaining);
        Assert.Equal((7, 3), (summary.Edits, summary.Batches));
        Assert.Contains("'Empty is'", error.Message);
        Assert.Equal(7, session.Facts.Count);
    }

    [Fact]
    public void Cancelled_between_batches_what_was_acknowledged_stays()
    {
        using CancellationTokenSource source = new();
        EditorSession session = new(model, new GatedEditor(model.Transformer), batchSize: 2);

        Assert.Throws<OperationCanceledException>(() => session.Edit(All, new Collect([], at: 4, source), source.Token));

        Assert.Equal(4, session.Facts.Count);
    }

    [Fact]
    public async Task Many_threads_ask_while_one_edits_and_see_only_acknowledged_states()
    {
        GatedEditor editor = new(model.Transformer) { Gate = new SemaphoreSlim(0), Entered = new SemaphoreSlim(0) };
        EditorSession session = new(model, editor, batchSize: 1);
        using CancellationTokenSource stop = new();
        int asked = 0;
        Task[] readers = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            double last = 0;
            while (!stop.IsCancellationRequested)
            {
                Answer answer = session.Ask("Ada Quill plays the", 2); // the evidence is the number of batches learned
                Assert.True(answer.Evidence >= last, "a reader went back in time");
                last = answer.Evidence;
                Interlocked.Increment(ref asked);
            }
        }))];
        Task edit = Task.Run(() => session.Edit(TinyModels.Facts));
        for (int batch = 0; batch < 4; batch++)
        {
            await editor.Entered.WaitAsync();
            // The editor is inside a batch and waits; answers come all the same, from the state before.
            int before = Volatile.Read(ref asked);
            SpinWait.SpinUntil(() => Volatile.Read(ref asked) > before + 8);
            Assert.Equal(batch, session.Ask("Ada Quill plays the", 1).Evidence);
            editor.Gate.Release();
        }

        await edit;
        Assert.Equal(4, session.Ask("Ada Quill plays the", 1).Evidence);
        await stop.CancelAsync();
        await Task.WhenAll(readers);
    }

    [Fact]
    public void What_does_not_fit_together_is_refused_with_what_to_do()
    {
        using (EditorSession session = model.StartSession("lora", Options, folder.File("s")))
        {
            Assert.Contains("another process or session", Assert.Throws<EditException>(() => model.StartSession("lora", Options, folder.File("s"))).Message);
        }

        Assert.Contains("another base model", Assert.Throws<EditException>(() => TinyModels.Of("llama").OpenSession(folder.File("s"))).Message);
        Assert.Contains("pass the folder", Assert.Throws<EditException>(() => ElderModel.Open(folder.File("s"), folder.File("gone"))).Message);
        Assert.Contains("no state.json", Assert.Throws<EditException>(() => ElderModel.Open(folder.Path)).Message);
        Assert.Throws<CheckpointException>(() => ElderModel.Load(folder.File("gone")));
        Assert.Contains("cannot be saved", Assert.Throws<EditException>(() => new EditorSession(model, new GatedEditor(model.Transformer)).Save(folder.File("x"))).Message);
        Assert.Throws<EditException>(() => model.StartSession("lora", batchSize: 0));
    }

    [Fact]
    public void A_model_without_its_tokenizer_is_refused_by_folder()
    {
        foreach (string file in Directory.GetFiles(model.Folder!).Where(f => Path.GetFileName(f) != "merges.txt"))
        {
            File.Copy(file, folder.File(Path.GetFileName(file)));
        }

        EditException error = Assert.Throws<EditException>(() => ElderModel.Load(folder.Path));

        Assert.Contains("tokenizer", error.Message);
        Assert.Contains(folder.Path, error.Message);
    }

    [OpenCLFact]
    public void A_device_that_is_lost_on_OpenCL_loses_nothing_that_was_acknowledged()
    {
        string state = folder.File("lost");
        using Tensors.Device device = TestDevices.NewOpenCL();
        ElderModel there = ElderModel.Load(model.Folder!, new LoadOptions { Device = device });
        using (EditorSession session = there.StartSession("elder-paper", """{"iterations":3}""", state, batchSize: 2))
        {
            Tensors.DeviceException error = Assert.Throws<Tensors.DeviceException>(() => session.Edit(TinyModels.Facts, new LoseDevice(device)));

            Assert.Contains("may have been lost", error.Message);
            Assert.Contains("journal", error.Message);
            Assert.Contains("--device cpu", error.Message);
        }

        using EditorSession opened = ElderModel.Open(state);
        Assert.Equal(TinyModels.Facts[..2].Select(EditEncoder.FactIdOf).Order(StringComparer.Ordinal), opened.Facts.Order(StringComparer.Ordinal));
        opened.Edit(TinyModels.Facts[2..]);
        Assert.Equal(4, opened.Facts.Count);
    }

    private sealed class LoseDevice(Tensors.Device device) : IProgress<EditProgress>
    {
        public void Report(EditProgress value) => TestDevices.Lose(device); // after the first batch
    }

    private sealed class Collect(List<EditProgress> reports, int at = 0, CancellationTokenSource? cancel = null) : IProgress<EditProgress>
    {
        public void Report(EditProgress value)
        {
            reports.Add(value);
            if (value.Done == at)
            {
                cancel!.Cancel();
            }
        }
    }

    /// <summary>Learns nothing, slowly: every batch waits for the gate. Its snapshots tell how many batches there were.</summary>
    private sealed class GatedEditor(TransformerModel model) : IModelEditor
    {
        private volatile Snapshot current = new(model, 0);

        public SemaphoreSlim? Gate { get; init; }

        public SemaphoreSlim? Entered { get; init; }

        public string Name => "gated";

        public TransformerModel Model => model;

        public long AddedParameters => 0;

        public IEditSnapshot Current => current;

        public EditBatchResult Edit(IReadOnlyList<EncodedEdit> batch, CancellationToken cancellationToken = default)
        {
            Entered?.Release();
            Gate?.Wait(cancellationToken);
            current = new Snapshot(model, current.Batches + 1);
            return new EditBatchResult(1, 0.25, 0);
        }

        private sealed record Snapshot(TransformerModel Model, int Batches) : IEditSnapshot
        {
            public EditedPrompts Prepare(IReadOnlyList<int[]> prompts) => new(
                Model, prompts, PromptBatch.Prefill(Model, prompts), [.. prompts.Select(_ => new ScopeDecision(true, null, Batches))], (_, _) => null);
        }
    }
}
