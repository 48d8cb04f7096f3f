using ElderManaged.Editing;
using ElderManaged.Evaluation.Harness;
using ElderManaged.Evaluation.Worlds;

namespace ElderManaged.Evaluation.Tests.Harness;

public sealed class DemoTests
{
    private static readonly DemoPlan Plan = DemoPlan.Create(TinyWorld.World, TinyWorld.Tasks, TinyWorld.Options);

    [Fact]
    public void TwoWordingsOfEachFactAreEditedAndTheOthersHeldOut()
    {
        Assert.Equal((8, 16), (Plan.Set.Edited.Count, Plan.Set.HeldOut.Count));
        Assert.Equal(4, Plan.Set.Edited.Select(e => e.FactId).Distinct().Count());
        Assert.Empty(Plan.Set.Edited.Select(e => e.Prompt).Intersect(Plan.Set.HeldOut.Select(e => e.Prompt)));
        Dictionary<string, string> targets = Plan.Set.Edited.DistinctBy(e => e.FactId).ToDictionary(e => e.FactId!, e => e.Target);
        Assert.All(Plan.Set.Edited.Concat(Plan.Set.HeldOut), e => Assert.Equal(targets[e.FactId!], e.Target));
        for (int i = 0; i < Plan.Set.Edited.Count; i += 2)
        {
            Assert.Equal(Plan.Set.Edited[i].FactId, Plan.Set.Edited[i + 1].FactId);
        }
    }

    [Fact]
    public void TargetsAreOfTheRelationAndFalseAndKeptFactsStay()
    {
        Assert.All(Plan.Set.Edited.Zip(Plan.Truths), pair =>
        {
            Fact fact = TinyWorld.World.Facts.Single(f => f.Id == pair.First.FactId);
            Assert.Equal(fact.Object, pair.Second);
            Assert.NotEqual(fact.Object, pair.First.Target);
            Assert.Contains(pair.First.Target, TinyWorld.World.RelationOf(fact).Objects);
            Assert.False(FactWorld.IsKept(fact));
        });
        Fact[] kept = [.. TinyWorld.World.Facts.Where(FactWorld.IsKept)];
        Assert.NotEmpty(kept);
        DemoPlan all = DemoPlan.Create(TinyWorld.World, null, TinyWorld.Options with { Edits = 2 * (80 - kept.Length) });
        Assert.Empty(all.Set.Edited.Select(e => e.FactId).Intersect(kept.Select(f => f.Id)));
    }

    [Fact]
    public void UneditedPromptsAndCalibrationAreAboutOtherFacts()
    {
        HashSet<(string, string)> edited = [.. Plan.Set.Edited.Select(e => TinyWorld.World.Facts.Single(f => f.Id == e.FactId)).Select(f => (f.Subject, f.Relation))];
        Fact[] probes = [.. Plan.Set.Unedited.Select(p => TinyWorld.World.Facts.Single(f =>
            TinyWorld.World.RelationOf(f).Wordings.Any(w => Relation.Ask(w, f.Subject) == p)))];
        Assert.Equal(8, probes.Length);
        Assert.DoesNotContain(probes, f => edited.Contains((f.Subject, f.Relation)));
        Assert.Contains(probes, f => edited.Any(e => e.Item1 == f.Subject));
        Assert.Equal(10, Plan.Calibration.Count);
        Fact[] calibration = [.. Plan.Calibration.Select(c => TinyWorld.World.Facts.Single(f => f.Id == c.Id))];
        Assert.Empty(calibration.Intersect(probes));
        Assert.DoesNotContain(calibration, f => edited.Contains((f.Subject, f.Relation)) || FactWorld.IsKept(f));
        Assert.All(Plan.Calibration, c => Assert.Equal(6, c.Phrasings.Distinct().Count()));
    }

    [Fact]
    public void TheSeedDecides()
    {
        Assert.Equal(Plan.Set.Edited, DemoPlan.Create(TinyWorld.World, null, TinyWorld.Options).Set.Edited);
        Assert.NotEqual(Plan.Set.Edited, DemoPlan.Create(TinyWorld.World, null, TinyWorld.Options with { Seed = 4 }).Set.Edited);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(1000)]
    public void ANumberOfEditsThatDoesNotFitIsRefused(int edits) => Assert.Contains(
        $"{edits} edits", Assert.Throws<EditException>(() => DemoPlan.Create(TinyWorld.World, null, TinyWorld.Options with { Edits = edits })).Message, StringComparison.Ordinal);

    [Fact]
    public void AStreamIsLearnedInBatchesAndMeasuredOnTheWay()
    {
        ScopeOnlyEditor editor = new(TinyWorld.Model, _ => false);
        List<ExperimentProgress> seen = [];
        StreamOutcome stream = EditStream.Learn(TinyWorld.Model, editor, [.. Plan.Set.Edited, .. Plan.Set.Edited.Take(2)], 4, 2, new Seen(seen));
        Assert.Equal([4, 4, 2], editor.BatchSizes);
        Assert.Equal((10, 5.0, 7L), (stream.Edits, stream.Seconds, stream.AddedParameters));
        Assert.Equal([8, 10], stream.Curve.Select(p => p.Edits)); // the first batches that reach 5 and 10 of 10
        Assert.Equal([(4, 10), (8, 10), (10, 10)], seen.Select(p => (p.Done, p.Total)));
    }

    [Fact]
    public void TheWholeDemonstrationRuns()
    {
        DemoExperiment experiment = new(TinyWorld.Model, Plan, TinyWorld.Options);
        List<ExperimentProgress> seen = [];
        IReadOnlyList<MethodOutcome> outcomes = experiment.Run(["base", "lora"], name => EditMethods.Create(name, TinyWorld.Model, 1), new Seen(seen));
        ExperimentResult result = experiment.Summarize(outcomes);
        Assert.Equal((8, 4), (result.Edits, result.Facts));
        Assert.Equal(["base", "lora"], result.Methods.Select(m => m.Name));
        Assert.Equal(0, result.Methods[0].AddedParameters);
        Assert.True(result.Methods[1].AddedParameters > 0 && result.Methods[1].SecondsPerEdit > 0);
        Assert.Empty(outcomes[0].Curve);
        Assert.Equal(8, outcomes[1].Curve[^1].Edits);
        Assert.Equal(outcomes[1].Result.Reliability.TeacherForced, outcomes[1].Curve[^1].Reliability);
        Assert.All(seen.GroupBy(p => (p.Method, p.Phase)), phase => Assert.Equal(phase.Last().Total, phase.Last().Done));
    }

    private sealed class Seen(List<ExperimentProgress> list) : IProgress<ExperimentProgress>
    {
        public void Report(ExperimentProgress value) => list.Add(value);
    }
}
