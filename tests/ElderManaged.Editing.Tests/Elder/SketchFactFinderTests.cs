using ElderManaged.Editing.Elder;
using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Editing.Tests.Elder;

public sealed class SketchFactFinderTests(ScopeFixture fixture) : IClassFixture<ScopeFixture>
{
    [Fact]
    public void RecordedPromptsAreRecognisedUntilTheirFactIsDropped()
    {
        EncodedEdit[] edits = Edits();
        IFactFinder finder = new SketchFactFinder(fixture.Sketcher).With(edits);
        Assert.Equal(edits.Select(e => (true, (string?)e.FactId)), Find(finder, edits).Select(f => (f.InScope, f.FactId)));
        IFactFinder without = finder.Without(edits[2].FactId);
        Assert.All(Find(without, edits), found => Assert.NotEqual(edits[2].FactId, found.FactId));
        Assert.True(Find(finder, edits)[2].InScope);
        Assert.False(Find(new SketchFactFinder(fixture.Sketcher), edits)[0].InScope);
    }

    [Fact]
    public void TheStreamOfAPassThatRunsAnywayGivesTheSameAnswers()
    {
        EncodedEdit[] edits = Edits();
        IFactFinder finder = new SketchFactFinder(fixture.Sketcher).With(edits[..5]);
        int[][] prompts = [.. edits.Select(e => e.Prompt)];
        SequenceLayout layout = new([.. prompts.Select(p => p.Length)]);
        using Tape tape = Tape.Start(record: false);
        ForwardContext context = new(layout);
        List<Tensor> observed = [];
        foreach (int layer in finder.ObservedLayers)
        {
            observed.Add(fixture.Model.Blocks(fixture.Model.Embed([.. prompts.SelectMany(p => p)], context), context, 0, layer));
        }

        IReadOnlyList<RecognisedFact> own = Find(finder, edits), given = finder.Find(prompts, observed, layout);
        for (int i = 0; i < prompts.Length; i++)
        {
            Assert.Equal((own[i].InScope, own[i].FactId), (given[i].InScope, given[i].FactId));
            Assert.Equal(own[i].Probability, given[i].Probability, 1e-3);
        }
    }

    [Fact]
    public void ALoadedFinderGivesTheSameAnswersAndAMixedFolderIsRefused()
    {
        using TemporaryFolder folder = new();
        EncodedEdit[] edits = Edits();
        IFactFinder empty = new SketchFactFinder(fixture.Sketcher), finder = empty.With(edits[..3]).With(edits[3..6]).Without(edits[1].FactId);
        finder.Save(folder.Path);
        EncodedEdit[] kept = [edits[0], .. edits[2..6]];
        Assert.Equal(Find(finder, edits), Find(empty.Load(folder.Path, kept), edits));
        CheckpointException error = Assert.Throws<CheckpointException>(() => empty.Load(folder.Path, edits[..6]));
        Assert.Contains("mixes two moments", error.Message, StringComparison.Ordinal);
    }

    private static IReadOnlyList<RecognisedFact> Find(IFactFinder finder, EncodedEdit[] edits) =>
        finder.Find([.. edits.Select(e => e.Prompt)], null, new SequenceLayout([.. edits.Select(e => e.Prompt.Length)]));

    private EncodedEdit[] Edits() =>
        [.. ScopeFixture.DifferentSubjects(60, seed: 9)[..10].Select(f => new EncodedEdit(
            f.Id, fixture.Tokenizer.Encode(f.Phrasings[0]), fixture.Tokenizer.Encode(" yes"), fixture.Tokenizer.Encode(" " + f.Subject)))];
}
