using ElderManaged.Editing.Baselines.FtL;
using ElderManaged.Editing.Baselines.Lora;
using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Testing;

namespace ElderManaged.Editing.Tests.Baselines;

/// <summary>What holds for every baseline; on random models, with larger steps than on trained ones.</summary>
public class BaselineTests
{
    public static TheoryData<string, string> Cases => new()
    {
        { "ft-l", "gpt2" }, { "ft-l", "llama" }, { "lora", "gpt2" }, { "lora", "llama" },
    };

    internal static IPersistentEditor Make(string name, TransformerModel model) => name == "ft-l"
        ? new FtLEditor(model, new FtLOptions { LearningRate = 2e-2f, Clamp = 2, MaxSteps = 150 })
        : new LoraEditor(model, new LoraOptions { LearningRate = 2e-2f, Iterations = 60, Rank = 8 });

    [Theory]
    [MemberData(nameof(Cases))]
    public void Four_edits_are_learned_and_the_loss_falls(string name, string architecture)
    {
        ElderModel model = TinyModels.Of(architecture);
        EditorSession session = new(model, Make(name, model.Transformer));
        double before = -TinyModels.Scores(model, null)[..4].Average();

        EditSummary summary = session.Edit(TinyModels.Facts);

        Assert.True(summary.MeanLoss < 0.05 * before, $"loss {summary.MeanLoss} after {before}");
        Assert.All(TinyModels.Facts, fact =>
        {
            Answer answer = session.Ask(fact.Prompt);
            Assert.Equal(fact.Target, answer.Text);
            Assert.True(answer.InScope && answer.Complete);
        });
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_base_model_is_untouched_bit_for_bit_and_a_fresh_editor_is_the_base_model(string name, string architecture)
    {
        ElderModel model = TinyModels.Of(architecture);
        double[] before = TinyModels.Scores(model, null);
        IPersistentEditor editor = Make(name, model.Transformer);
        Assert.Equal(before, TinyModels.Scores(model, editor.Current));

        editor.Edit(TinyModels.Encode(model, TinyModels.Facts));

        Assert.Equal(before, TinyModels.Scores(model, null));
        Assert.NotEqual(before, TinyModels.Scores(model, editor.Current));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_snapshot_never_changes(string name, string architecture)
    {
        ElderModel model = TinyModels.Of(architecture);
        IPersistentEditor editor = Make(name, model.Transformer);
        editor.Edit(TinyModels.Encode(model, TinyModels.Facts[..2]));
        IEditSnapshot kept = editor.Current;
        double[] then = TinyModels.Scores(model, kept);

        editor.Edit(TinyModels.Encode(model, TinyModels.MoreFacts));

        Assert.Equal(then, TinyModels.Scores(model, kept));
        Assert.NotEqual(then, TinyModels.Scores(model, editor.Current));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Saved_loaded_and_continued_is_never_stopped(string name, string architecture)
    {
        ElderModel model = TinyModels.Of(architecture);
        using TemporaryFolder folder = new();
        IPersistentEditor whole = Make(name, model.Transformer);
        whole.Edit(TinyModels.Encode(model, TinyModels.Facts));
        whole.Save(folder.Path);
        whole.Edit(TinyModels.Encode(model, TinyModels.MoreFacts));

        IPersistentEditor continued = Make(name, model.Transformer);
        continued.Load(folder.Path);
        continued.Edit(TinyModels.Encode(model, TinyModels.MoreFacts));

        Assert.Equal(TinyModels.Scores(model, whole.Current), TinyModels.Scores(model, continued.Current));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_failed_batch_leaves_nothing(string name, string architecture)
    {
        // The first step throws all weights beyond what float32 holds, so the second fails.
        ElderModel model = TinyModels.Of(architecture);
        using TemporaryFolder fresh = new(), after = new();
        IPersistentEditor editor = name == "ft-l"
            ? new FtLEditor(model.Transformer, new FtLOptions { LearningRate = 3e38f, Clamp = float.PositiveInfinity })
            : new LoraEditor(model.Transformer, new LoraOptions { LearningRate = 3e38f });
        editor.Save(fresh.Path);
        EncodedEdit[] edits = TinyModels.Encode(model, TinyModels.Facts);

        Assert.Contains("Lower the learning rate", Assert.Throws<EditException>(() => editor.Edit(edits)).Message);
        Assert.Throws<OperationCanceledException>(() => editor.Edit(edits, new CancellationToken(canceled: true)));

        editor.Save(after.Path);
        Assert.Equal(File.ReadAllBytes(fresh.File("editor.safetensors")), File.ReadAllBytes(after.File("editor.safetensors")));
        Assert.Equal(TinyModels.Scores(model, null), TinyModels.Scores(model, editor.Current));
    }

    [Fact]
    public void A_state_of_other_options_is_refused()
    {
        TransformerModel model = TinyModels.Gpt2.Transformer;
        using TemporaryFolder folder = new();
        new LoraEditor(model, new LoraOptions { Rank = 2 }).Save(folder.Path);

        CheckpointException error = Assert.Throws<CheckpointException>(() => new LoraEditor(model, new LoraOptions { Rank = 3 }).Load(folder.Path));

        Assert.Contains("options", error.Message);
    }

    [Fact]
    public void Options_are_named_in_errors_and_read_over_defaults()
    {
        TransformerModel model = TinyModels.Gpt2.Transformer;
        FtLEditor editor = (FtLEditor)EditorFactory.Create("ft-l", model, """{"maxSteps":3}""");

        Assert.Equal(new FtLOptions { MaxSteps = 3 }, editor.Options);
        Assert.Equal(editor.OptionsJson, EditorFactory.Create("ft-l", model, editor.OptionsJson).OptionsJson);
        Assert.Contains("layers 0 to 3", Assert.Throws<EditException>(() => new FtLEditor(model, new FtLOptions { Layer = 4 })).Message);
        Assert.Contains("maxSteps", Assert.Throws<EditException>(() => EditorFactory.Create("ft-l", model, """{"maxStep":3}""")).Message);
        Assert.Contains("lora", Assert.Throws<EditException>(() => EditorFactory.Create("lorra", model)).Message);
        Assert.Contains("ascend", Assert.Throws<EditException>(() => EditorFactory.Create("lora", model, """{"layers":[2,1]}""")).Message);
        Assert.Throws<EditException>(() => EditorFactory.Create("lora", model, "[1]"));
        Assert.Contains("ActiveCount is 9 of 4", Assert.Throws<EditException>(() => EditorFactory.Create("elder-paper", model, """{"activeCount":9}""")).Message);
        Assert.Contains("no option 'active'", Assert.Throws<EditException>(() => EditorFactory.Create("elder", model, """{"active":9}""")).Message);
    }
}
