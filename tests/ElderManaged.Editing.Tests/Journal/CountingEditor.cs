using System.Globalization;
using ElderManaged.Editing;
using ElderManaged.Models;
using ElderManaged.Models.Generation;

namespace ElderManaged.Editing.Tests.Journal;

/// <summary>An editor without a network: its state is a hash of everything it was taught, in order.</summary>
internal sealed class CountingEditor(ElderModel model) : IPersistentEditor
{
    public ulong State { get; private set; } = 14695981039346656037;

    public int Batches { get; private set; }

    public string Name => "counting";

    public TransformerModel Model => model.Transformer;

    public long AddedParameters => 1;

    public IEditSnapshot Current => new BaseSnapshot(model.Transformer);

    public string OptionsJson => "{}";

    public EditBatchResult Edit(IReadOnlyList<EncodedEdit> batch, CancellationToken cancellationToken = default)
    {
        foreach (int token in batch.SelectMany(e => e.Prompt.Concat(e.Target)).Append(-1))
        {
            State = (State ^ (uint)token) * 1099511628211;
        }

        Batches++;
        return new EditBatchResult(1, 0.5, 0);
    }

    public void Save(string folder) => File.WriteAllText(Path.Combine(folder, "state.txt"), State.ToString(CultureInfo.InvariantCulture));

    public void Load(string folder) => State = ulong.Parse(File.ReadAllText(Path.Combine(folder, "state.txt")), CultureInfo.InvariantCulture);

    internal sealed class BaseSnapshot(TransformerModel model) : IEditSnapshot
    {
        public EditedPrompts Prepare(IReadOnlyList<int[]> prompts) => new(
            model, prompts, PromptBatch.Prefill(model, prompts), [.. prompts.Select(_ => new ScopeDecision(false))], (_, _) => null);
    }
}
