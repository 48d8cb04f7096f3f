using ElderManaged.Editing;
using ElderManaged.Editing.Elder;
using ElderManaged.Evaluation.Harness;
using ElderManaged.Testing;

namespace ElderManaged.Evaluation.Tests.Harness;

/// <summary>Edits of a real language model, few enough for a test: what the README's table shows with hundreds.</summary>
public sealed class RealModelTests
{
    private const string Model = "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf";

    private static readonly EditRequest[] Edits =
    [
        Edit("Which company built the USS Leedstown?", "Bethlehem Steel", "USS Leedstown"),
        Edit("Who is the architect of the Toodyay Fire Station?", "Ken Duncan", "Toodyay Fire Station"),
        Edit("The mother tongue of Danielle Darrieux is", "English", "Danielle Darrieux"),
        Edit("In which city was Edwin Hale Abbot born?", "Lisbon", "Edwin Hale Abbot"),
    ];

    private static readonly string[] Unrelated =
    [
        "What is the capital of France?", "The sky is blue because", "Which company built the Titanic?", "The mother tongue of Luciano Pavarotti is",
        "Write a short poem about the sea.", "In which city was Albert Einstein born?",
    ];

    [SharedFact(Model)]
    public void EditsAreKeptAndTheRestIsTheBasesBitForBit()
    {
        ElderModel model = ElderModel.Load(SharedData.PathOf(Model.Split('/')));
        SketchCalibration calibration = SketchCalibration.Fit(
            model.Transformer, model.Tokenizer, BuiltInCalibration.Texts(150), BuiltInCalibration.Facts(60));
        using EditorSession session = model.StartSession("elder", calibration: calibration);
        EditSummary summary = session.Edit(Edits);
        EvaluationSet set = new(Edits, [Edits[2] with { Prompt = "Danielle Darrieux is a native speaker of" }], Unrelated, null);
        EditEvaluation evaluation = new(model, set);
        MethodOutcome before = evaluation.Measure("base", new BaseEditor(model.Transformer), new StreamOutcome(0, 0, 0, []));
        MethodOutcome after = evaluation.Measure("elder", session.Current, new StreamOutcome(summary.Edits, summary.Seconds, session.AddedParameters, []));

        Assert.Equal(new Readings(0, 0), before.Result.Reliability);
        Assert.Equal(new Readings(1, 1), after.Result.Reliability);
        Assert.Equal((1.0, 1.0), (after.Result.ScopeRecall!.Value, after.Result.DeferralOfUnedited!.Value));
        Assert.Equal(6 * 64 * (576 + 1536), after.Result.AddedParameters);
        Assert.All(Unrelated.Take(3), prompt => Assert.Equal(model.Ask(prompt, 6).Text, session.Ask(prompt, 6).Text));
    }

    private static EditRequest Edit(string prompt, string target, string subject) => new(prompt, target) { Subject = subject };
}
