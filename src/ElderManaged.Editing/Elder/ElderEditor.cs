using System.Diagnostics;
using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// ELDER (Li et al. 2025, arXiv 2408.11869): a mixture of LoRAs beside some feed-forward layers of a frozen model, an
/// allocation of LoRAs for every fact, and deferral of everything else to the base. <see cref="ElderOptions.Paper"/> is the
/// method as published, <see cref="ElderOptions.Default"/> the variant that forgets less.
/// </summary>
public sealed class ElderEditor : IPersistentEditor, IForgettingEditor
{
    private readonly Rehearsal rehearsal;
    private ElderState state;
    private volatile ElderSnapshot current;
    private MixtureTraining? trainer;

    /// <summary>An editor that has learned nothing yet.</summary>
    /// <param name="model">The base model; never changed.</param>
    /// <param name="options">From a preset; null for <see cref="ElderOptions.Default"/>.</param>
    /// <param name="finder">
    /// With recorded routing: an empty finder, which recognises facts; null for exact matches only. Unused otherwise.
    /// </param>
    /// <exception cref="EditException">The options contradict themselves or the model.</exception>
    public ElderEditor(TransformerModel model, ElderOptions? options = null, IFactFinder? finder = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        Model = model;
        Options = options ?? ElderOptions.Default(model);
        Options.Check(model);
        EmptyFinder = finder ?? new ExactFactFinder();
        rehearsal = new Rehearsal(model, Options);
        state = ElderState.Start(model, Options, EmptyFinder);
        current = MakeSnapshot();
    }

    /// <inheritdoc/>
    public string Name => Options.Routing == ElderRouting.Router ? "elder-paper" : "elder";

    /// <inheritdoc/>
    public TransformerModel Model { get; }

    /// <summary>What the editor was told.</summary>
    public ElderOptions Options { get; }

    /// <summary>All options as one line of JSON, from which an equal editor can be made.</summary>
    public string OptionsJson => Options.ToJson();

    /// <inheritdoc/>
    public long AddedParameters => state.Mixture.Count;

    /// <inheritdoc/>
    public IEditSnapshot Current => current;

    /// <summary>The recorded allocation codes of edited prompts (routed allocation only).</summary>
    public CodeBook Codes => state.Codes;

    /// <summary>The allocation of a fact, or null if it was never edited.</summary>
    public Allocation? AllocationOf(string factId) => state.Allocator.Find(factId);

    /// <summary>Called in every iteration after the backward pass and before the step, on the editing thread.</summary>
    public Action<ElderIteration>? IterationDone { get; set; }

    internal IFactFinder EmptyFinder { get; }

    internal Mixture Mixture => state.Mixture;

    internal UniqueAllocator Allocator => state.Allocator;

    /// <summary>For comparison with other codes: sees the scores of every iteration.</summary>
    internal Action<IReadOnlyList<Tensor>>? Scored { get; set; }

    /// <summary>For comparison with other codes: sees the logits at target rows of every iteration.</summary>
    internal Action<Tensor>? Predicted { get; set; }

    /// <summary>For comparison with other codes: puts something around every adapter.</summary>
    internal Func<IFeedForwardAdapter?, IFeedForwardAdapter?>? Wrap { get; set; }

    /// <inheritdoc/>
    /// <exception cref="EditException">Training diverged, or all allocations are taken; nothing of this batch was kept.</exception>
    public EditBatchResult Edit(IReadOnlyList<EncodedEdit> batch, CancellationToken cancellationToken = default)
    {
        CheckBatch(batch);
        Stopwatch clock = Stopwatch.StartNew();
        float[][] before = state.Mixture.CopyValues();
        try
        {
            UniqueAllocator allocator = state.Allocator.Copy();
            RandomSource random = RandomSource.FromState(state.Random.SaveState());
            Allocation[] allocations = [.. batch.Select(e => allocator.Allocate(e.FactId))];
            (PreparedEdit[] prepared, PreparedEdit?[] behind, List<TrainingItem> fresh) = PrepareItems(batch, allocations, cancellationToken);

            HashSet<string> now = [.. batch.Select(e => e.FactId)];
            EncodedEdit[] earlier = [.. state.WithoutSuperseded(batch).Where(e => !now.Contains(e.FactId))];
            MixtureTraining training = TrainingOf(state.Mixture);
            (int steps, double loss) = training.Run(
                fresh,
                items => rehearsal.Draw(earlier, allocator, random, items),
                () => Options.ReviewedEdits == 0 ? [] : rehearsal.AtRisk(earlier, allocator, state.Mixture.SquaredMoves(before)),
                cancellationToken);

            CodeBook codes = state.Codes;
            if (Options.Routing == ElderRouting.Router)
            {
                Allocation[] routed = Options.RecordCodesBeforeLastStep ? training.LastRouted(batch.Count) : RouteAgain(prepared);
                codes = codes.With([.. batch.Select((e, i) => (e.FactId, routed[i].Code))]);
            }

            state = state.Next(allocator, random, codes, batch, Options.Routing == ElderRouting.Recorded);
            for (int i = 0; i < batch.Count; i++)
            {
                rehearsal.Keep(batch[i], prepared[i], behind[i]);
            }

            rehearsal.KeepOnly(state.Edits);
            current = MakeSnapshot();
            return new EditBatchResult(steps, loss, clock.Elapsed.TotalSeconds);
        }
        catch
        {
            state.Mixture.RestoreValues(before);
            throw;
        }
    }

    /// <summary>
    /// Drops a fact: it is no longer in scope nor rehearsed. With recorded routing its prompts get the base's answers
    /// again, bit for bit; with routers they may still lie within ε of another fact's code. It keeps its allocation for
    /// the case that it comes back.
    /// </summary>
    /// <returns>Whether the fact was known.</returns>
    public bool Forget(string factId)
    {
        ArgumentNullException.ThrowIfNull(factId);
        if (state.Edits.All(e => e.FactId != factId))
        {
            return false;
        }

        state = state.Without(factId);
        rehearsal.KeepOnly(state.Edits);
        current = MakeSnapshot();
        return true;
    }

    /// <summary>Writes the state of the last finished batch into a folder. Call it on the editing thread.</summary>
    public void Save(string folder) => ElderStateFile.Save(state, Options, folder);

    /// <summary>
    /// Takes over a state written by an editor with the same options over the same model; what is edited next gives the
    /// same bits as if nothing had been saved and loaded. Call it on the editing thread.
    /// </summary>
    /// <exception cref="Models.Checkpoints.CheckpointException">The folder is damaged or belongs to other options.</exception>
    public void Load(string folder)
    {
        state = ElderStateFile.Load(Model, Options, EmptyFinder, folder);
        rehearsal.KeepOnly(state.Edits);
        current = MakeSnapshot();
    }

    /// <summary>Publishes parameters that were set from outside.</summary>
    internal void Publish() => current = MakeSnapshot();

    private MixtureTraining TrainingOf(Mixture mixture)
    {
        if (trainer?.Mixture != mixture)
        {
            trainer = new MixtureTraining(Model, Options, mixture);
        }

        (trainer.BeforeStep, trainer.Scored, trainer.Predicted, trainer.Wrap) = (IterationDone, Scored, Predicted, Wrap);
        return trainer;
    }

    /// <summary>Prepares each edit alone and, where there is a sentence and room for it, behind its leading sentence.</summary>
    private (PreparedEdit[] Alone, PreparedEdit?[] Behind, List<TrainingItem> Items) PrepareItems(
        IReadOnlyList<EncodedEdit> batch, Allocation[] allocations, CancellationToken cancellationToken)
    {
        List<(int[] Prompt, int[] Target)> runs = [.. batch.Select(e => (e.Prompt, e.Target))];
        List<int> owners = [.. Enumerable.Range(0, batch.Count)];
        for (int i = 0; i < batch.Count; i++)
        {
            if (LeadingSentence.Before(Model, Options, batch[i]) is { } prompt)
            {
                runs.Add((prompt, batch[i].Target));
                owners.Add(i);
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        PreparedEdit[] prepared = PreparedEdit.Prepare(Model, Options, runs);
        PreparedEdit?[] behind = new PreparedEdit?[batch.Count];
        for (int i = batch.Count; i < prepared.Length; i++)
        {
            behind[owners[i]] = prepared[i];
        }

        return (prepared[..batch.Count], behind, [.. prepared.Select((p, i) => new TrainingItem(p, allocations[owners[i]]))]);
    }

    private Allocation[] RouteAgain(PreparedEdit[] prepared)
    {
        using Tape tape = Tape.Start(record: false);
        Tensor queries = Tape.NewTensor(new Shape(prepared.Length, prepared[0].Query!.Length));
        queries.MoveTo(Model.Device);
        for (int i = 0; i < prepared.Length; i++)
        {
            prepared[i].Query!.CopyTo(Op.SliceRows(queries, i, 1));
        }

        return Router.TopK(Router.Scores(state.Mixture, queries), Options.ActiveCount);
    }

    private ElderSnapshot MakeSnapshot()
    {
        Mixture frozen = state.Mixture.Freeze();
        IPromptRouting routing = Options.Routing == ElderRouting.Router
            ? new RouterRouting(frozen, state.Codes, Options.ActiveCount, Options.Epsilon)
            : new RecordedRouting(state.Finder, state.Allocator.ByFact(), Options.UniformWeight);
        return new ElderSnapshot(Model, Options, frozen, routing, Wrap);
    }

    private void CheckBatch(IReadOnlyList<EncodedEdit> batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (batch.Count == 0)
        {
            throw new ArgumentException("Edit: the batch is empty; give at least one edit.");
        }

        foreach (EncodedEdit edit in batch)
        {
            int needed = edit.Prompt.Length + edit.Target.Length - 1;
            if (edit.Prompt.Length == 0 || edit.Target.Length == 0 || needed > Model.Config.MaxPositions)
            {
                throw new ArgumentException(
                    $"Edit: the fact '{edit.FactId}' has {edit.Prompt.Length} prompt and {edit.Target.Length} target tokens; both need one, and together at most {Model.Config.MaxPositions + 1}.");
            }

            int[] unknown = [.. edit.Prompt.Concat(edit.Target).Where(id => id < 0 || id >= Model.Config.VocabSize).Take(1)];
            if (unknown.Length > 0)
            {
                throw new ArgumentException($"Edit: the fact '{edit.FactId}' holds the token {unknown[0]}; the model knows 0 to {Model.Config.VocabSize - 1}. Was it encoded with another tokenizer?");
            }
        }
    }
}
