using ElderManaged.Editing.Elder;
using ElderManaged.Editing.Journal;
using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Generation;
using ElderManaged.Models.Tokenizers;

namespace ElderManaged.Editing;

/// <summary>
/// A frozen base model with its tokenizer: where using the library begins.
/// <code>
/// ElderModel model = ElderModel.Load("weights/elder-tiny");
/// using EditorSession session = model.StartSession("elder", folder: "my-edits");
/// session.Edit(new EditRequest("The capital of Brevia is", "Rome") { Subject = "Brevia" });
/// Console.WriteLine(session.Ask("The capital of Brevia is").Text);
/// </code>
/// </summary>
/// <remarks>Never changes; for any number of threads.</remarks>
public sealed class ElderModel
{
    private const int LeadingSentences = 96;

    private readonly Lock identifying = new(), calibrating = new();
    private string? hash;
    private volatile SketchCalibration? calibration;

    /// <summary>Puts a model and its tokenizer together.</summary>
    /// <param name="transformer">A frozen model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="folder">The folder both came from, which saved states refer to; null for none.</param>
    /// <exception cref="EditException">The tokenizer knows more tokens than the model, or the model is trainable.</exception>
    public ElderModel(TransformerModel transformer, ITokenizer tokenizer, string? folder = null)
    {
        ArgumentNullException.ThrowIfNull(transformer);
        ArgumentNullException.ThrowIfNull(tokenizer);
        if (tokenizer.VocabularySize > transformer.Config.VocabSize)
        {
            throw new EditException($"The tokenizer knows {tokenizer.VocabularySize} tokens, the model {transformer.Config.VocabSize}; they do not belong together.");
        }

        if (transformer.Parameters.Count > 0)
        {
            throw new EditException("The model is a trainable one; save it and load it again, so that its weights are frozen.");
        }

        Transformer = transformer;
        Tokenizer = tokenizer;
        Folder = folder is null ? null : Path.GetFullPath(folder);
        Encoder = new EditEncoder(tokenizer, trainEndToken: true, transformer.Config);
    }

    /// <summary>The base model.</summary>
    public TransformerModel Transformer { get; }

    /// <summary>Its tokenizer.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>Turns requests into tokens, targets closed by the end token.</summary>
    public EditEncoder Encoder { get; }

    /// <summary>
    /// A finder without facts that recognises rephrasings, for the method <c>elder</c>; null for exact matches only. A
    /// state must be opened with the finder it was made with.
    /// </summary>
    public IFactFinder? FactFinder { get; init; }

    /// <summary>The full path of the folder (or file) it was loaded from, or null.</summary>
    public string? Folder { get; }

    /// <summary>
    /// SHA-256 of configuration, weights and tokenizer, by which saved states know their model. Computed at first use, which reads all
    /// files; <see cref="Identify"/> does it with progress and remembers it.
    /// </summary>
    /// <exception cref="EditException">The model came from no folder.</exception>
    public string Hash => Identify();

    /// <summary>Computes <see cref="Hash"/>, unless it is there already.</summary>
    /// <param name="cacheFolder">
    /// Where the digests of large files are remembered, beside the length and the time of change that they had then; null for nowhere. A folder
    /// that cannot be written is as good as none.
    /// </param>
    /// <param name="progress">Told which part of the files is read, from 0 to 1.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <exception cref="EditException">The model came from no folder.</exception>
    /// <exception cref="CheckpointException">A file cannot be read any more.</exception>
    public string Identify(string? cacheFolder = null, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        lock (identifying)
        {
            return hash ??= ModelIdentity.Of(
                Folder ?? throw new EditException("This model was not loaded from a folder, so a saved state could not find it again; save the model and load it from there."),
                cacheFolder, progress, cancellationToken);
        }
    }

    /// <summary>
    /// How <c>elder</c> recognises edited facts when no other calibration is given: fitted to this model on built-in texts
    /// and invented facts at first use, which takes seconds, or minutes for billions of weights. <see cref="Calibrate"/> does
    /// it with progress and keeps it in a folder.
    /// </summary>
    public SketchCalibration Calibration => calibration ?? Calibrate();

    /// <summary>Makes <see cref="Calibration"/>, unless it is there already.</summary>
    /// <param name="cacheFolder">
    /// Where calibrations are kept, one file for each model; the one of this model is read if it is there and written if not.
    /// Null for neither. A folder that cannot be written is as good as none.
    /// </param>
    /// <param name="progress">Told which part of the work is done, from 0 to 1.</param>
    /// <param name="cancellationToken">Stops.</param>
    public SketchCalibration Calibrate(string? cacheFolder = null, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        lock (calibrating)
        {
            return calibration ??= CalibrationCache.GetOrFit(this, cacheFolder, progress, cancellationToken);
        }
    }

    /// <summary>Loads a model in any of the <see cref="ModelFormats"/> and the tokenizer it comes with, as <see cref="Models.Tokenizers.Tokenizer.Load"/> finds it.</summary>
    /// <param name="folder">The folder, or the file with the weights.</param>
    /// <param name="options">How the weights are loaded, and who is told how far it is; null for as they are stored.</param>
    /// <exception cref="CheckpointException">The configuration or the weights are missing, damaged or unsupported.</exception>
    /// <exception cref="EditException">The tokenizer is missing or damaged, or does not fit the model.</exception>
    public static ElderModel Load(string folder, LoadOptions? options = null)
    {
        TransformerModel transformer = TransformerModel.Load(folder, options);
        ITokenizer tokenizer;
        try
        {
            tokenizer = Models.Tokenizers.Tokenizer.Load(folder);
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException or CheckpointException)
        {
            throw new EditException($"The tokenizer of {folder} cannot be loaded: {exception.Message}", exception);
        }

        return new ElderModel(transformer, tokenizer, folder);
    }

    /// <summary>Opens a saved state: the base model, then the edits, exactly as they were acknowledged.</summary>
    /// <param name="stateFolder">What <see cref="StartSession"/> or <see cref="EditorSession.Save"/> wrote.</param>
    /// <param name="modelFolder">The base model's folder, if it has moved since.</param>
    /// <param name="cancellationToken">Stops learning again what came after the last snapshot.</param>
    /// <exception cref="EditException">The state is missing, damaged, in use, or belongs to another base model.</exception>
    public static EditorSession Open(string stateFolder, string? modelFolder = null, CancellationToken cancellationToken = default)
    {
        StateInfo info = EditState.ReadInfo(stateFolder);
        string folder = modelFolder ?? info.ModelFolder;
        if (!Directory.Exists(folder) && !File.Exists(folder))
        {
            throw new EditException($"The base model of {stateFolder} is expected in {folder}, which does not exist; pass the folder where it is now.");
        }

        return Load(folder).OpenSession(stateFolder, cancellationToken);
    }

    /// <summary>Opens a saved state over this model.</summary>
    /// <param name="stateFolder">What <see cref="StartSession"/> or <see cref="EditorSession.Save"/> wrote.</param>
    /// <param name="cancellationToken">Stops learning again what came after the last snapshot.</param>
    /// <exception cref="EditException">The state is missing, damaged, in use, or belongs to another base model.</exception>
    public EditorSession OpenSession(string stateFolder, CancellationToken cancellationToken = default)
    {
        EditState state = EditState.Open(stateFolder);
        try
        {
            if (state.Info.ModelHash != Hash)
            {
                throw new EditException($"{stateFolder} was made over another base model than that in {Folder} (SHA-256 {state.Info.ModelHash[..12]}… against {Hash[..12]}…); pass the folder of the right one.");
            }

            return EditorSession.Resume(this, state, cancellationToken);
        }
        catch
        {
            state.Dispose();
            throw;
        }
    }

    /// <summary>A fresh editor over this model.</summary>
    /// <param name="method">One of <see cref="EditorFactory.Names"/>.</param>
    /// <param name="optionsJson">The options that differ from the method's defaults.</param>
    /// <param name="calibration">How <c>elder</c> recognises facts; null for <see cref="Calibration"/>. Others have no use for one.</param>
    public IPersistentEditor CreateEditor(string method, string? optionsJson = null, SketchCalibration? calibration = null) =>
        EditorFactory.Create(method, Transformer, optionsJson, method == "elder" ? Parts(calibration ?? Calibration) : default);

    /// <summary>Starts a stream of edits.</summary>
    /// <param name="method">One of <see cref="EditorFactory.Names"/>.</param>
    /// <param name="optionsJson">The options that differ from the method's defaults.</param>
    /// <param name="folder">Where every acknowledged batch is journalled at once; null keeps the edits in memory until <see cref="EditorSession.Save"/>.</param>
    /// <param name="batchSize">The most edits learned together.</param>
    /// <param name="trainEndToken">Whether targets are trained with the end token, so that answers end by themselves.</param>
    /// <param name="calibration">How <c>elder</c> recognises facts, kept with the state; null for <see cref="Calibration"/>.</param>
    /// <exception cref="EditException">The method or an option is unknown, or the folder holds a state already.</exception>
    public EditorSession StartSession(
        string method, string? optionsJson = null, string? folder = null, int batchSize = 4, bool trainEndToken = true,
        SketchCalibration? calibration = null)
    {
        EditEncoder encoder = trainEndToken ? Encoder : new EditEncoder(Tokenizer, trainEndToken, Transformer.Config);
        return EditorSession.Start(this, CreateEditor(method, optionsJson, calibration), encoder, folder, batchSize);
    }

    /// <summary>What the untouched base model answers.</summary>
    public Answer Ask(string prompt, int maxTokens = 20, CancellationToken cancellationToken = default)
    {
        PromptBatch batch = PromptBatch.OfBase(Transformer, [Encoder.EncodePrompt(prompt)]);
        int[] tokens = Generator.Generate(batch, new GenerationOptions { MaxTokens = maxTokens }, null, cancellationToken)[0];
        return new Answer(Tokenizer.Decode(tokens).Trim(), InScope: false, null, double.NaN, tokens.Length < maxTokens);
    }

    // A line break keeps the first word of the prompt the token that it is at the beginning of a text.
    private ElderParts Parts(SketchCalibration calibration) => new(
        new SketchFactFinder(new PromptSketcher(Transformer, calibration)),
        [.. BuiltInCalibration.Texts(LeadingSentences, seed: 2).Where(text => text.EndsWith('.')).Select(text => Tokenizer.EncodePrompt(text + "\n"))]);
}
