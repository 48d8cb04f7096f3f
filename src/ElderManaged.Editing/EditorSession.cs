using System.Diagnostics;
using ElderManaged.Editing.Elder;
using ElderManaged.Editing.Journal;
using ElderManaged.Models.Generation;

namespace ElderManaged.Editing;

/// <summary>
/// A stream of edits over a base model: teach it, ask it, drop a fact, save it.
/// </summary>
/// <remarks>
/// Any number of threads may call <see cref="Ask(string, int, CancellationToken)"/> at any time, also while another edits: they see the state
/// after the last acknowledged batch. <see cref="Edit(EditRequest)"/>, <see cref="Forget"/> and <see cref="Save"/> from
/// several threads wait for each other.
/// </remarks>
public sealed class EditorSession : IDisposable
{
    private const string CalibrationFile = "calibration.safetensors";
    private readonly Lock editing = new();
    private readonly EditEncoder encoder;
    private readonly Func<IModelEditor>? create;
    private readonly List<JournalRecord> history;
    private readonly HashSet<string> facts = new(StringComparer.Ordinal);
    private readonly EditState? state;
    private IModelEditor editor;
    private volatile IEditSnapshot current;
    private bool failed, disposed;

    /// <summary>A session in memory with an editor of any kind, which must not have learned anything yet.</summary>
    /// <param name="model">The base model.</param>
    /// <param name="editor">The editor; the session is its only user from now on.</param>
    /// <param name="batchSize">The most edits learned together.</param>
    /// <param name="encoder">How requests become tokens; null for the model's own.</param>
    public EditorSession(ElderModel model, IModelEditor editor, int batchSize = 4, EditEncoder? encoder = null)
        : this(model, editor, null, batchSize, encoder ?? model?.Encoder, [])
    {
    }

    private EditorSession(
        ElderModel? model, IModelEditor editor, EditState? state, int batchSize, EditEncoder? encoder, IReadOnlyList<JournalRecord> records)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(editor);
        ArgumentNullException.ThrowIfNull(encoder);
        EditorOptions.Require(batchSize > 0, $"The batch size {batchSize} must be positive.");
        Model = model;
        BatchSize = batchSize;
        this.editor = editor;
        this.state = state;
        this.encoder = encoder;
        create = editor is IPersistentEditor p ? () => EditorFactory.Create(p.Name, model.Transformer, p.OptionsJson, new ElderParts((p as ElderEditor)?.EmptyFinder)) : null;
        history = [.. records];
        history.ForEach(CountFacts);
        current = editor.Current;
    }

    /// <summary>The base model.</summary>
    public ElderModel Model { get; }

    /// <summary>The most edits learned together.</summary>
    public int BatchSize { get; }

    /// <summary>The editing method's name.</summary>
    public string Method => editor.Name;

    /// <summary>How many numbers the method keeps beside the base model.</summary>
    public long AddedParameters => editor.AddedParameters;

    /// <summary>The edited model after the last acknowledged batch, for evaluation.</summary>
    public IEditSnapshot Current => current;

    /// <summary>The folder in which every acknowledged batch is journalled, or null.</summary>
    public string? Folder => state?.Folder;

    /// <summary>The ids of all facts learned and not dropped, in ordinal order.</summary>
    public IReadOnlyList<string> Facts
    {
        get
        {
            lock (editing)
            {
                return [.. facts.Order(StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>Teaches one edit.</summary>
    public EditSummary Edit(EditRequest request) => Edit([request]);

    /// <summary>Teaches edits in their order, in batches.</summary>
    /// <param name="requests">The edits; all are checked before the first is learned.</param>
    /// <param name="progress">Told after every acknowledged batch.</param>
    /// <param name="cancellationToken">Stops; acknowledged batches stay, of the current one nothing does.</param>
    /// <exception cref="EditException">A request cannot be used, or the journal cannot be written.</exception>
    /// <exception cref="OperationCanceledException">Stopped.</exception>
    public EditSummary Edit(IEnumerable<EditRequest> requests, IProgress<EditProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        EditRequest[] all = [.. requests];
        EncodedEdit[] encoded = [.. all.Select(encoder.Encode)];
        Stopwatch watch = Stopwatch.StartNew();
        lock (editing)
        {
            int batches = 0;
            double losses = 0;
            for (int done = 0; done < all.Length;)
            {
                RequireUsable();
                cancellationToken.ThrowIfCancellationRequested();
                int end = Math.Min(all.Length, done + BatchSize);
                EditBatchResult result = editor.Edit(encoded[done..end], cancellationToken);
                Acknowledge(new JournalRecord { Sequence = history.Count + 1, Edits = all[done..end], OptionsHash = "", ModelHash = "" });
                batches++;
                losses += result.FinalLoss;
                done = end;
                double pace = watch.Elapsed.TotalSeconds / done;
                progress?.Report(new EditProgress(done, all.Length, pace, TimeSpan.FromSeconds(pace * (all.Length - done)), result.FinalLoss));
            }

            return new EditSummary(all.Length, batches, batches == 0 ? 0 : losses / batches, watch.Elapsed.TotalSeconds);
        }
    }

    /// <summary>What the edited model answers, chosen greedily.</summary>
    /// <param name="prompt">The text to complete.</param>
    /// <param name="maxTokens">The most tokens of the answer.</param>
    /// <param name="cancellationToken">Stops between tokens.</param>
    /// <exception cref="EditException">The prompt is blank or too long.</exception>
    public Answer Ask(string prompt, int maxTokens = 20, CancellationToken cancellationToken = default) =>
        Ask([prompt], maxTokens, cancellationToken)[0];

    /// <summary>What the edited model answers to several prompts, all by the same state and together faster than alone.</summary>
    /// <param name="prompts">The texts to complete.</param>
    /// <param name="maxTokens">The most tokens of an answer.</param>
    /// <param name="cancellationToken">Stops between tokens.</param>
    /// <exception cref="EditException">A prompt is blank or too long.</exception>
    public IReadOnlyList<Answer> Ask(IReadOnlyList<string> prompts, int maxTokens = 20, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        EditedPrompts read = current.Prepare([.. prompts.Select(encoder.EncodePrompt)]);
        int[][] tokens = Generator.Generate(read, new GenerationOptions { MaxTokens = maxTokens }, null, cancellationToken);
        return [.. read.Scope.Zip(tokens, (scope, ids) => new Answer(
            Model.Tokenizer.Decode(ids).Trim(), scope.InScope, scope.FactId, scope.Evidence, ids.Length < maxTokens))];
    }

    /// <summary>
    /// Drops a fact. A method that cannot drop one by itself learns all the others again from the beginning, which takes
    /// as long as it did.
    /// </summary>
    /// <param name="factId">One of <see cref="Facts"/>.</param>
    /// <param name="cancellationToken">Stops learning again; then nothing is dropped.</param>
    /// <returns>Whether the fact was known.</returns>
    public bool Forget(string factId, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(factId);
        lock (editing)
        {
            RequireUsable();
            if (!facts.Contains(factId))
            {
                return false;
            }

            JournalRecord record = new() { Sequence = history.Count + 1, Forgotten = factId, OptionsHash = "", ModelHash = "" };
            if (editor is IForgettingEditor forgetting)
            {
                forgetting.Forget(factId);
            }
            else if (create is not null)
            {
                editor = EditReplay.Continue(editor, create, [.. history, record], history.Count, encoder, cancellationToken);
            }
            else
            {
                throw new EditException($"The editor {editor.Name} can neither drop a fact nor be made anew to learn the others again.");
            }

            Acknowledge(record);
            return true;
        }
    }

    /// <summary>
    /// Saves everything to a folder that <see cref="ElderModel.Open"/> opens: a new one, written completely or not at
    /// all, or the session's own, which then opens without learning anything again.
    /// </summary>
    /// <exception cref="EditException">The folder holds something else, or the editor cannot be saved.</exception>
    public void Save(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        lock (editing)
        {
            RequireUsable();
            IPersistentEditor persistent = RequirePersistent(editor);
            string target = Path.GetFullPath(folder);
            if (state is not null && target == Path.GetFullPath(state.Folder))
            {
                state.SaveSnapshot(persistent);
                return;
            }

            if (Path.Exists(target))
            {
                throw new EditException($"{target} exists already; choose a new folder.");
            }

            string temporary = $"{Path.TrimEndingDirectorySeparator(target)}.tmp-{Guid.NewGuid():N}";
            SaveCalibration(persistent, temporary);
            using (EditState copy = EditState.Create(temporary, InfoOf(Model, persistent, encoder, BatchSize)))
            {
                copy.AppendAll(history.Select(r => (r.Edits, r.Forgotten)));
                copy.SaveSnapshot(persistent);
            }

            Directory.Move(temporary, target);
        }
    }

    /// <summary>Closes the journal. Acknowledged edits are on the disk already.</summary>
    public void Dispose()
    {
        lock (editing)
        {
            disposed = true;
            state?.Dispose();
        }
    }

    internal static EditorSession Start(ElderModel model, IPersistentEditor editor, EditEncoder encoder, string? folder, int batchSize)
    {
        EditorOptions.Require(batchSize > 0, $"The batch size {batchSize} must be positive.");
        EditState? state = null;
        if (folder is not null)
        {
            StateInfo info = InfoOf(model, editor, encoder, batchSize);
            if (!EditState.Exists(folder))
            {
                SaveCalibration(editor, folder); // first, because a folder with state.json is a whole state
            }

            state = EditState.Create(folder, info);
        }

        return new EditorSession(model, editor, state, batchSize, encoder, []);
    }

    internal static EditorSession Resume(ElderModel model, EditState state, CancellationToken cancellationToken)
    {
        StateInfo info = state.Info;
        EditEncoder encoder = new(model.Tokenizer, info.TrainEndToken, model.Transformer.Config);
        SketchCalibration? calibration = LoadCalibration(model, state.Folder);
        IPersistentEditor editor = state.Restore(() => model.CreateEditor(info.Method, info.Options, calibration), encoder, cancellationToken);
        return new EditorSession(model, editor, state, info.BatchSize, encoder, state.Journal.Records);
    }

    private static void SaveCalibration(IPersistentEditor editor, string folder)
    {
        if ((editor as ElderEditor)?.EmptyFinder is SketchFactFinder finder)
        {
            Directory.CreateDirectory(folder);
            finder.Calibration.Save(Path.Combine(folder, CalibrationFile));
        }
    }

    private static SketchCalibration? LoadCalibration(ElderModel model, string folder)
    {
        string path = Path.Combine(folder, CalibrationFile);
        try
        {
            return File.Exists(path) ? SketchCalibration.Load(path, model.Transformer, model.Tokenizer) : null;
        }
        catch (ArgumentException exception)
        {
            throw new EditException(exception.Message, exception);
        }
    }

    private static StateInfo InfoOf(ElderModel model, IPersistentEditor editor, EditEncoder encoder, int batchSize) => new()
    {
        Method = editor.Name,
        Options = editor.OptionsJson,
        ModelHash = model.Hash, // first: its error says what to do when there is no folder
        ModelFolder = model.Folder!,
        BatchSize = batchSize,
        TrainEndToken = encoder.TrainsEndToken,
    };

    private static IPersistentEditor RequirePersistent(IModelEditor editor) => editor as IPersistentEditor
        ?? throw new EditException($"The editor {editor.Name} cannot be saved.");

    // The editor has learned; only what is on the disk is shown to readers.
    private void Acknowledge(JournalRecord record)
    {
        failed = true;
        state?.Append(record.Edits, record.Forgotten);
        failed = false;
        history.Add(record);
        CountFacts(record);
        current = editor.Current;
        if (state is not null)
        {
            try
            {
                state.SaveSnapshotIfDue(RequirePersistent(editor));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw new EditException($"The edits are safe in the journal of {state.Folder}, but its snapshot could not be written ({exception.Message}). Free some space; opening will learn again what came after the last snapshot.", exception);
            }
        }
    }

    private void CountFacts(JournalRecord record)
    {
        if (record.Forgotten is { } dropped)
        {
            facts.Remove(dropped);
        }

        foreach (EditRequest edit in record.Edits)
        {
            facts.Add(EditEncoder.FactIdOf(edit));
        }
    }

    private void RequireUsable()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (failed)
        {
            throw new EditException($"The journal of {Folder} could not be written before, so this session takes no more edits; open the state again to go on after the last acknowledged batch.");
        }
    }
}
