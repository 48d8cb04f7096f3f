using ElderManaged.Editing;
using ElderManaged.Evaluation.Harness;
using ElderManaged.Evaluation.Tasks;
using ElderManaged.Evaluation.Worlds;
using ElderManaged.Models;
using ElderManaged.Models.Generation;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Testing;

namespace ElderManaged.Evaluation.Tests.Harness;

/// <summary>A small world, two examples of each general task, and a random model that can read both.</summary>
internal static class TinyWorld
{
    private static readonly Lazy<ElderModel> Lazily = new(MakeModel);

    public static FactWorld World { get; } = new(
        [
            new("born_in", "", [.. Enumerable.Range(0, 6).Select(i => $"wording {i}: {{s}} was born in")], ["Ova", "Nebek", "Tarn"]),
            new("plays", "", [.. Enumerable.Range(0, 6).Select(i => $"wording {i}: {{s}} plays the")], ["violin", "flute", "drum"]),
        ],
        [
            .. Enumerable.Range(1, 40).Select(i => new Fact($"f{i}", $"Person{i}", "born_in", i % 2 == 0 ? "Ova" : "Tarn")),
            .. Enumerable.Range(1, 40).Select(i => new Fact($"f{i + 40}", $"Person{i}", "plays", i % 2 == 0 ? "flute" : "drum")),
        ]);

    public static TaskSuite Tasks { get; } = new(TaskMetric.All.SelectMany(m => (TaskExample[])
        [new(m.Task, $"first {m.Task} of Ova:", "yes"), new(m.Task, $"second {m.Task} of Tarn:", "no")]));

    public static DemoOptions Options { get; } = new() { Edits = 8, UneditedPrompts = 8, CalibrationFacts = 10, Seed = 3 };

    public static ElderModel Model => Lazily.Value;

    private static ElderModel MakeModel()
    {
        ByteLevelBpe tokenizer = BpeTrainer.Train(
            BpeTrainer.CountWords(World.Facts.SelectMany(f => World.RelationOf(f).Wordings.Select(w => $"{Relation.Ask(w, f.Subject)} {f.Object}"))), 340);
        Gpt2Config config = new()
        {
            VocabSize = tokenizer.VocabularySize, MaxPositions = 64, HiddenSize = 32, InnerSize = 64, LayerCount = 4, HeadCount = 2,
            TieWordEmbeddings = true, EosTokenIds = new TokenIds(tokenizer.EndOfTextId),
        };
        using TemporaryFolder folder = new();
        TransformerModel fresh = TransformerModel.CreateTrainable(config, seed: 5);
        foreach (Nn.Parameter matrix in fresh.Parameters.Where(p => p.Decays))
        {
            // Fresh weights of so narrow a model can hardly tell prompts apart; larger ones can, as trained ones do.
            float factor = matrix.Value.Shape[0] == config.VocabSize ? 40f : 10f;
            foreach (ref float value in matrix.Value.Span)
            {
                value *= factor;
            }
        }

        fresh.Save(folder.Path);
        return new ElderModel(TransformerModel.Load(folder.Path), tokenizer);
    }
}

/// <summary>Decides scope as it is told, and answers as the base does; each edit costs half a second of its own time.</summary>
internal sealed class ScopeOnlyEditor(ElderModel model, Func<string, bool> inScope) : IModelEditor, IEditSnapshot
{
    public string Name => "scope-only";

    public TransformerModel Model => model.Transformer;

    public long AddedParameters => 7;

    public IEditSnapshot Current => this;

    public List<int> BatchSizes { get; } = [];

    public EditBatchResult Edit(IReadOnlyList<EncodedEdit> batch, CancellationToken cancellationToken = default)
    {
        BatchSizes.Add(batch.Count);
        return new EditBatchResult(1, 0, 0.5 * batch.Count);
    }

    public EditedPrompts Prepare(IReadOnlyList<int[]> prompts)
    {
        ScopeDecision[] scope = [.. prompts.Select(p => new ScopeDecision(inScope(model.Tokenizer.Decode(p)), null, 0.5))];
        return new EditedPrompts(Model, prompts, PromptBatch.Prefill(Model, prompts), scope, (_, _) => null);
    }
}
