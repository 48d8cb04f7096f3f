using ElderManaged.Tensors;

namespace ElderManaged.Models.Generation;

/// <summary>
/// Prompts whose keys and values are computed: the common start of generating from them and of scoring answers to
/// them. Both run the last prompt token again, with what comes after it, because its output predicts the first token of
/// the answer; so an edit may act from that token on over a cache that is still the base model's. An editor's batch also knows, for each prompt, which LoRAs act
/// from there on; the decision is taken once, here, and kept for everything that follows.
/// </summary>
/// <remarks>Not thread-safe; each thread prepares its own.</remarks>
public class PromptBatch
{
    /// <summary>Wraps prompts and their cache.</summary>
    /// <param name="model">The frozen base model.</param>
    /// <param name="prompts">Token ids, at least one each.</param>
    /// <param name="cache">Holds at least the first prompt length − 1 positions of each.</param>
    public PromptBatch(TransformerModel model, IReadOnlyList<int[]> prompts, KeyValueCache cache)
    {
        (Model, Prompts, Cache) = (model, prompts, cache);
    }

    /// <summary>The base model.</summary>
    public TransformerModel Model { get; }

    /// <summary>Token ids of each prompt.</summary>
    public IReadOnlyList<int[]> Prompts { get; }

    /// <summary>Keys and values of each prompt; those of its last token are not used.</summary>
    public KeyValueCache Cache { get; }

    /// <summary>
    /// The editor's term for a forward pass whose sequence i belongs to prompt <paramref name="prompts"/>[i]; null when
    /// the base alone answers.
    /// </summary>
    public virtual IFeedForwardAdapter? AdapterFor(int[] prompts, SequenceLayout layout) => null;

    /// <summary>Runs the base model, or the base with an adapter, over the prompts and keeps keys and values.</summary>
    /// <param name="model">The frozen base model.</param>
    /// <param name="prompts">Token ids, at least one each.</param>
    /// <param name="adapter">Makes the term for the layout of the pass; null for the base alone.</param>
    /// <param name="observe">Sees the activations of the pass.</param>
    public static KeyValueCache Prefill(
        TransformerModel model, IReadOnlyList<int[]> prompts,
        Func<SequenceLayout, IFeedForwardAdapter?>? adapter = null, Action<Activation, int, Tensor>? observe = null)
    {
        CheckPrompts(model, prompts);
        SequenceLayout layout = new([.. prompts.Select(p => p.Length)]);
        KeyValueCache cache = new(model, prompts.Count);
        using Tape tape = Tape.Start(record: false);
        ForwardContext context = new(layout)
        {
            Cache = cache, AppendToCache = true, Adapter = adapter?.Invoke(layout), Observe = observe,
        };
        if (layout.Rows > 0)
        {
            // Nobody reads what the last block makes of a prompt, except for its keys and values.
            int last = model.LayerCount - 1;
            Tensor hidden = model.Blocks(model.Embed([.. prompts.SelectMany(p => p)], context), context, 0, last);
            observe?.Invoke(Activation.Hidden, last, hidden);
            model.AppendKeyValues(last, hidden, context);
        }

        return cache;
    }

    /// <summary>The base model's batch.</summary>
    public static PromptBatch OfBase(TransformerModel model, IReadOnlyList<int[]> prompts) =>
        new(model, prompts, Prefill(model, prompts));

    internal static void CheckPrompts(TransformerModel model, IReadOnlyList<int[]> prompts)
    {
        for (int i = 0; i < prompts.Count; i++)
        {
            if (prompts[i].Length == 0)
            {
                throw new ArgumentException($"Prompt {i} is empty; a prompt needs at least one token.");
            }

            if (prompts[i].Length > model.Config.MaxPositions)
            {
                throw new ArgumentException($"Prompt {i} has {prompts[i].Length} tokens; the model knows {model.Config.MaxPositions} positions.");
            }
        }
    }
}
