using ElderManaged.Editing;
using ElderManaged.Evaluation.Harness;
using ElderManaged.Evaluation.Metrics;
using ElderManaged.Evaluation.Tasks;
using ElderManaged.Models.Generation;

namespace ElderManaged.Evaluation.Tests.Harness;

public sealed class EditEvaluationTests
{
    private static readonly StreamOutcome NoStream = new(0, 0, 0, []);
    private static readonly ElderModel Model = TinyWorld.Model;

    private static readonly EditRequest[] Edits =
    [
        new("wording 0: Person1 was born in", "Nebek"), new("wording 2: Person1 plays the", "violin"),
        new("wording 1: Person2 was born in", "Tarn Tarn"), new("wording 3: Person4 plays the", "drum"),
    ];

    private static readonly EditRequest[] HeldOut =
        [.. Enumerable.Range(1, 5).Select(w => new EditRequest($"wording {w}: Person1 was born in", "Nebek"))];

    [Fact]
    public void ReadingsAreThoseOfAskingOnePromptAtATime()
    {
        IModelEditor editor = Learned("lora", """{"learningRate":0.02,"iterations":200}""", Edits);
        MethodOutcome outcome = new EditEvaluation(Model, new EvaluationSet(Edits, HeldOut, [], null)).Measure("lora", editor.Current, NoStream);

        AnswerOutcome[] all = [.. outcome.Edited, .. outcome.HeldOut];
        Assert.All(all, a =>
        {
            EncodedEdit edit = new EditEncoder(Model.Tokenizer, trainEndToken: false).Encode(a.Request);
            bool forced = AnswerScorer.Score(editor.Current.Prepare([edit.Prompt]), [edit.Target])[0].Greedy;
            int[] ids = Generator.Generate(editor.Current.Prepare([edit.Prompt]), new GenerationOptions { MaxTokens = edit.Target.Length + 4 })[0];
            string text = Model.Tokenizer.Decode(ids);
            Assert.Equal((forced, ExactMatch.Matches(text, a.Request.Target), text.Trim()), (a.TeacherForced, a.Generated, a.Text));
        });
        Assert.Equal(new Readings(1, 1), outcome.Result.Reliability);
        Assert.Equal(all.Skip(Edits.Length).Average(a => a.Generated ? 1.0 : 0), outcome.Result.Generalization!.Value.Generated);
        Assert.Null(outcome.Result.Retention);
    }

    [Fact]
    public void AnAnswerThatRunsOnIsRightOnlyForced()
    {
        // Trained without the end token, the model goes on after the target.
        EditEncoder endless = new(Model.Tokenizer, trainEndToken: false);
        IModelEditor editor = EditorFactory.Create("lora", Model.Transformer, """{"learningRate":0.02,"iterations":200}""");
        editor.Edit([.. Edits.Select(endless.Encode)]);
        MethodResult result = new EditEvaluation(Model, new EvaluationSet(Edits, [], [], null)).Measure("lora", editor.Current, NoStream).Result;
        Assert.Equal(1, result.Reliability.TeacherForced);
        Assert.True(result.Reliability.Generated < 1, $"{result.Reliability.Generated}");
        Assert.Null(result.Generalization);
    }

    [Fact]
    public void OutcomesTakenOverFromTheBaseAreWhatGeneratingThemGives()
    {
        // One task prompt is edited, so that one is in scope and fifteen are not.
        TaskExample asked = TinyWorld.Tasks.Examples[5];
        IModelEditor editor = Learned("elder", """{"earlyStopProbability":null,"learningRate":0.02}""", [new EditRequest(asked.Prompt, "drum"), .. Edits]);
        EvaluationSet set = new(Edits, [], [], TinyWorld.Tasks);
        MethodOutcome reused = new EditEvaluation(Model, set).Measure("elder", editor.Current, NoStream);
        MethodOutcome generated = new EditEvaluation(Model, set) { ReuseBaseOutcomes = false }.Measure("elder", editor.Current, NoStream);
        MethodOutcome before = new EditEvaluation(Model, set).Measure("base", new BaseEditor(Model.Transformer), NoStream);

        Assert.Equal(generated.Tasks, reused.Tasks);
        Assert.Equal(15 / 16.0, reused.Result.DeferralOfTasks);
        Assert.Equal(TinyWorld.Tasks.Examples, reused.Tasks.Select(t => t.Example));
        Assert.Equal([asked], reused.Tasks.Where((t, i) => t.Generated != before.Tasks[i].Generated).Select(t => t.Example));
        Assert.Equal(before.Result.Retention, reused.Result.RetentionBase);
    }

    [Fact]
    public void ScopeIsCountedWhereItIsAsked()
    {
        ScopeOnlyEditor editor = new(Model, p => p.StartsWith("first", StringComparison.Ordinal) || p.Contains("Person1 ", StringComparison.Ordinal));
        EvaluationSet set = new(Edits, HeldOut, ["Person1 plays the", "Person2 plays the", "Person3 plays the", "Person4 plays the"], TinyWorld.Tasks)
        {
            Locality = ["first", "second"],
        };
        MethodResult result = new EditEvaluation(Model, set).Measure("x", editor, new StreamOutcome(4, 2, 7, [])).Result;
        Assert.Equal(1 / 2.0, result.DeferralOfLocality);
        Assert.Equal(7 / 9.0, result.ScopeRecall); // two edits and all five other wordings
        Assert.Equal(3 / 4.0, result.DeferralOfUnedited);
        Assert.Equal(8 / 16.0, result.DeferralOfTasks);
        Assert.Equal((0.5, 7), (result.SecondsPerEdit, result.AddedParameters));
    }

    [Theory]
    [InlineData("base")]
    [InlineData("ft-l")]
    [InlineData("lora")]
    public void AMethodWithoutScopeHasNoFiguresOfIt(string name)
    {
        EvaluationSet set = new(Edits, HeldOut, ["Person2 plays the"], TinyWorld.Tasks);
        IModelEditor editor = EditMethods.Create(name, Model, seed: 1);
        MethodResult result = new EditEvaluation(Model, set).Measure(name, editor.Current, NoStream).Result;
        Assert.Equal((null, null, null), (result.DeferralOfTasks, result.DeferralOfUnedited, result.ScopeRecall));
        Assert.Equal(result.RetentionBase, result.Retention); // nothing was learned
    }

    [Fact]
    public void WhatCannotBeAskedIsFoundBeforeAnythingIsLearned()
    {
        EditRequest blank = new("Person1 plays the", " ");
        EditRequest tooLong = new(string.Concat(Enumerable.Repeat("Person1 ", 70)), "drum");
        Assert.Throws<EditException>(() => new EditEvaluation(Model, new EvaluationSet([blank], [], [], null)));
        Assert.Throws<EditException>(() => new EditEvaluation(Model, new EvaluationSet([], [tooLong], [], null)));
        Assert.Throws<EditException>(() => new EditEvaluation(Model, new EvaluationSet([], [], [""], null)));
    }

    [Fact]
    public void ItStopsWhenToldTo()
    {
        using CancellationTokenSource stop = new();
        stop.Cancel();
        EditEvaluation evaluation = new(Model, new EvaluationSet(Edits, [], [], null));
        Assert.Throws<OperationCanceledException>(() => evaluation.Measure("base", new BaseEditor(Model.Transformer), NoStream, null, stop.Token));
    }

    private static IPersistentEditor Learned(string name, string options, EditRequest[] edits)
    {
        IPersistentEditor editor = EditorFactory.Create(name, Model.Transformer, options);
        editor.Edit([.. edits.Select(Model.Encoder.Encode)]);
        return editor;
    }
}
