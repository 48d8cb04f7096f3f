using ElderManaged.Models;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Everything that sketches and the scope decision need to know about a base model: made once for the model, from texts
/// of any kind and facts that are never edited, and stored with the edited state. Immutable, for any number of threads.
/// </summary>
public sealed partial class SketchCalibration
{
    // The same model in another precision or on another machine differs by less; another model differs by far more.
    private const double FingerprintTolerance = 0.05;
    private const int FingerprintTokens = 8;

    private readonly float[] tokenFrequencies;
    private readonly Dictionary<ulong, float> wordFrequencies;
    private readonly SketchWhitening whitening;
    private readonly float[] fingerprint;
    private readonly PromptWords words;

    private SketchCalibration(
        SketchOptions options, int layer, int endingLayer, PromptWords words, float[] tokenFrequencies, Dictionary<ulong, float> wordFrequencies,
        SketchWhitening whitening, ScopeModel scope, ScopeQuality quality, float[] fingerprint)
    {
        (Options, Layer, EndingLayer, this.words, this.tokenFrequencies, this.wordFrequencies) = (options, layer, endingLayer, words, tokenFrequencies, wordFrequencies);
        (this.whitening, Scope, Quality, this.fingerprint) = (whitening, scope, quality, fingerprint);
    }

    /// <summary>The constants it was fitted with.</summary>
    public SketchOptions Options { get; }

    /// <summary>The block after which the residual stream is averaged, from 0.</summary>
    public int Layer { get; }

    /// <summary>The block after which the last token is read, from 0.</summary>
    public int EndingLayer { get; }

    /// <summary>The number of numbers in a sketch.</summary>
    public int Components => whitening.Components;

    /// <summary>The width of the model's residual stream.</summary>
    public int Width => whitening.Mean.Width;

    /// <summary>How hidden states become sketches.</summary>
    public SketchWhitening SketchWhitening => whitening;

    /// <summary>The scope decision.</summary>
    public ScopeModel Scope { get; }

    /// <summary>How the scope decision did on the calibration facts, for records with a subject if those have one.</summary>
    public ScopeQuality Quality { get; }

    /// <summary>The weight a/(a + p(token)) of a token in the mean: near 1 for rare tokens, near 0 for frequent ones.</summary>
    public double TokenWeight(int token) => Options.TokenRarity / (Options.TokenRarity + tokenFrequencies[token]);

    /// <summary>The index of the first token of a prompt's last sentence (see <see cref="PromptWords.LastSentence"/>).</summary>
    public int LastSentence(ReadOnlySpan<int> prompt) => words.LastSentence(prompt, Options.FewestWords);

    /// <summary>This calibration with another threshold or other coefficients.</summary>
    public SketchCalibration WithScope(ScopeModel scope)
    {
        ArgumentNullException.ThrowIfNull(scope);
        return new(Options, Layer, EndingLayer, words, tokenFrequencies, wordFrequencies, whitening, scope, Quality, fingerprint);
    }

    /// <summary>Throws unless this calibration was made from the given model.</summary>
    /// <exception cref="ArgumentException">The sizes or the activations differ.</exception>
    public void Require(TransformerModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.Width != Width || model.Config.VocabSize < words.VocabularySize || Math.Max(Layer, EndingLayer) >= model.LayerCount)
        {
            throw new ArgumentException(
                $"This calibration belongs to another model: it reads the blocks {Layer} and {EndingLayer} at width {Width} with {words.VocabularySize} tokens; " +
                $"this model has {model.LayerCount} blocks, width {model.Width} and {model.Config.VocabSize} tokens. Fit a calibration for it.");
        }

        double distance = Distance(fingerprint, Fingerprint(model, Math.Max(Layer, EndingLayer)));
        if (!(distance <= FingerprintTolerance))
        {
            throw new ArgumentException(
                $"This calibration belongs to another model of the same size: after block {Math.Max(Layer, EndingLayer)} the activations of a few test tokens " +
                $"differ by {distance:P1} (at most {FingerprintTolerance:P0} is taken for rounding). Fit a calibration for this model.");
        }
    }

    internal WordBag WordsOf(ReadOnlySpan<int> prompt) => WordsOfAll(prompt[LastSentence(prompt)..]);

    internal WordBag WordsOfAll(ReadOnlySpan<int> ids) =>
        ids.IsEmpty ? WordBag.Empty : new WordBag(words.Words(ids), WordWeight);

    /// <summary>
    /// What stands in for an unknown subject: the capitalised words of the last sentence (frequent ones such as "What"
    /// weigh next to nothing), or all its words if none is.
    /// </summary>
    internal WordBag NamesOf(ReadOnlySpan<int> prompt)
    {
        WordBag names = new(words.Words(prompt[LastSentence(prompt)..], namesOnly: true), WordWeight);
        return names.IsEmpty ? WordsOf(prompt) : names;
    }

    internal float WordWeight(ulong word) =>
        (float)(Options.WordRarity / (Options.WordRarity + wordFrequencies.GetValueOrDefault(word)));

    /// <summary>
    /// The residual stream of a few fixed tokens where sketches read it: depends on every weight that a sketch depends
    /// on, costs a forward pass of 8 tokens, and stands rounding, which a hash of bits would not.
    /// </summary>
    private static float[] Fingerprint(TransformerModel model, int layer)
    {
        int count = Math.Min(FingerprintTokens, model.Config.MaxPositions);
        int[] ids = [.. Enumerable.Range(0, count).Select(i => (int)((long)i * (model.Config.VocabSize - 1) / count))];
        using Tape tape = Tape.Start(record: false);
        ForwardContext context = new(new SequenceLayout([ids.Length]));
        Tensor hidden = model.Blocks(model.Embed(ids, context), context, 0, layer + 1);
        // The first position carries huge values in many models, which would hide all else.
        return hidden.ReadOnlySpan[(ids.Length > 1 ? model.Width : 0)..].ToArray();
    }

    private static double Distance(float[] expected, float[] actual)
    {
        double difference = 0, norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow((double)expected[i] - actual[i], 2);
            norm += Math.Pow(expected[i], 2);
        }

        return expected.Length == actual.Length ? Math.Sqrt(difference / Math.Max(norm, 1e-30)) : double.PositiveInfinity;
    }
}
