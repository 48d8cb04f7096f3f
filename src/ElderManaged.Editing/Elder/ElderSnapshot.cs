using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>The base model with the edits made so far: copies of the LoRAs and the routing over what was recorded.</summary>
/// <remarks>Immutable, for any number of threads.</remarks>
public sealed class ElderSnapshot : IEditSnapshot
{
    private readonly TransformerModel model;
    private readonly ElderOptions options;
    private readonly Mixture mixture;
    private readonly Func<IFeedForwardAdapter?, IFeedForwardAdapter?>? wrap;

    internal ElderSnapshot(
        TransformerModel model, ElderOptions options, Mixture mixture, IPromptRouting routing, Func<IFeedForwardAdapter?, IFeedForwardAdapter?>? wrap = null)
    {
        (this.model, this.options, this.mixture, Routing, this.wrap) = (model, options, mixture, routing, wrap);
    }

    /// <summary>Decides for each prompt whether the edits act and which LoRAs do.</summary>
    public IPromptRouting Routing { get; }

    /// <summary>The trained tensors; not to be changed.</summary>
    public Mixture Mixture => mixture;

    /// <inheritdoc/>
    /// <remarks>
    /// One pass. If the LoRAs act from the last prompt token on, it is the base's to the end, and anything in it may decide
    /// scope. Else the blocks below the first edited one are the base's; then scope and LoRAs are decided; then the other
    /// blocks run, with the LoRAs on the rows of prompts in scope.
    /// </remarks>
    public EditedPrompts Prepare(IReadOnlyList<int[]> prompts)
    {
        CheckPrompts(prompts);
        if (prompts.Count == 0)
        {
            return new EditedPrompts(model, prompts, new KeyValueCache(model, 0), [], (_, _) => null);
        }

        int first = options.Layers[0];
        SequenceLayout layout = new([.. prompts.Select(p => p.Length)]);
        KeyValueCache cache = new(model, prompts.Count);
        using Tape tape = Tape.Start(record: false);
        Tensor? queries = null;
        Tensor?[] observed = new Tensor?[Routing.ObservedLayers.Count];
        void Look(int layer, Tensor x)
        {
            for (int i = 0; i < observed.Length; i++)
            {
                observed[i] = Routing.ObservedLayers[i] == layer ? x : observed[i];
            }
        }

        ForwardContext below = new(layout)
        {
            Cache = cache,
            AppendToCache = true,
            Observe = (kind, layer, x) =>
            {
                if (kind == Activation.Hidden)
                {
                    Look(layer, x);
                }
                else if (kind == Activation.FeedForwardInput && layer == first - 1 && options.Routing == ElderRouting.Router)
                {
                    queries = new Tensor(new Shape(prompts.Count, x.Columns)); // outlives the block's scope
                    for (int s = 0; s < prompts.Count; s++)
                    {
                        x.ReadOnlyRow(layout.LastRow(s)).CopyTo(queries.Row(s));
                    }

                    queries.MoveTo(model.Device);
                }
            },
        };
        int decided = options.ActFromLastPromptToken ? model.LayerCount : first;
        Tensor hidden = model.Embed([.. prompts.SelectMany(p => p)], below);
        hidden = model.Blocks(hidden, below, 0, decided);
        Look(decided, hidden);
        bool complete = observed.Length > 0 && observed.All(x => x is not null);
        RoutedPrompt[] routed = Routing.Route(new PromptPass(prompts, layout, queries, complete ? [.. observed.Select(x => x!)] : null));
        IFeedForwardAdapter? Adapter(int[] of, SequenceLayout rows) => AdapterFor(routed, of, rows);
        ForwardContext above = new(layout)
        {
            Cache = cache,
            AppendToCache = true,
            Adapter = Adapter([.. Enumerable.Range(0, prompts.Count)], layout),
        };
        model.Blocks(hidden, above, decided, model.LayerCount);
        return new EditedPrompts(model, prompts, cache, [.. routed.Select(r => r.Scope)], Adapter);
    }

    /// <summary>The LoRAs' term for a pass whose sequence s belongs to prompt <paramref name="of"/>[s].</summary>
    private IFeedForwardAdapter? AdapterFor(RoutedPrompt[] routed, int[] of, SequenceLayout layout)
    {
        int[] owners = new int[of.Length];
        List<RoutedPrompt> acting = [];
        for (int s = 0; s < of.Length; s++)
        {
            bool acts = routed[of[s]].Scope.InScope;
            owners[s] = acts ? acting.Count : -1;
            if (acts)
            {
                acting.Add(routed[of[s]]);
            }
        }

        MixtureAdapter? adapter = null;
        if (acting.Count > 0)
        {
            int k = options.ActiveCount;
            int[] rowOwner = [.. layout.OwnerArray.Select(s => owners[s])];
            Allocation[] allocations = [.. acting.Select(a => a.Allocation!)];
            adapter = new MixtureAdapter(
                mixture,
                rowOwner,
                [.. mixture.Layers.Select((_, l) => Router.LorasOf(allocations, l))],
                [.. mixture.Layers.Select((_, l) => new Tensor(
                    new Shape(acting.Count, k), [.. acting.SelectMany(a => a.Weights[(l * k)..((l + 1) * k)])]))],
                options.Scaling);
        }

        return wrap is null ? adapter : wrap(adapter);
    }

    private void CheckPrompts(IReadOnlyList<int[]> prompts)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        for (int i = 0; i < prompts.Count; i++)
        {
            if (prompts[i].Length == 0 || prompts[i].Length > model.Config.MaxPositions)
            {
                throw new ArgumentException($"Prompt {i} has {prompts[i].Length} tokens; a prompt has 1 to {model.Config.MaxPositions}, the positions the model knows.");
            }
        }
    }
}
