using ElderManaged.Models;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

public sealed partial class SketchCalibration
{
    /// <summary>Makes the calibration of a model. The same arguments give the same calibration.</summary>
    /// <param name="model">The frozen base model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="texts">
    /// Some hundreds or, better, thousands of texts of the kind the model will be asked: questions, statements, passages.
    /// </param>
    /// <param name="facts">Facts that are never edited, best several of the same form and several about one subject.</param>
    /// <param name="options">The constants; the usual ones if null.</param>
    /// <exception cref="ArgumentException">Too few texts or facts to learn from.</exception>
    public static SketchCalibration Fit(
        TransformerModel model, ITokenizer tokenizer, IReadOnlyList<string> texts, IReadOnlyList<CalibrationFact> facts, SketchOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentNullException.ThrowIfNull(facts);
        options ??= new SketchOptions();
        if (tokenizer.VocabularySize > model.Config.VocabSize)
        {
            throw new ArgumentException($"SketchCalibration: the tokenizer has {tokenizer.VocabularySize} tokens, the model only {model.Config.VocabSize}; they do not belong together.");
        }

        if (facts.Count < 4 || facts.Count(f => f.Phrasings.Count > 1) < 2 || texts.Count < 2)
        {
            throw new ArgumentException(
                $"SketchCalibration: {texts.Count} texts and {facts.Count} facts, {facts.Count(f => f.Phrasings.Count > 1)} of them in several wordings, " +
                "are too few to learn from; give hundreds of both, or use BuiltInCalibration.");
        }

        PromptWords words = new(tokenizer);
        int[][] textIds = [.. texts.Select(tokenizer.EncodePrompt).Where(ids => ids.Length > 0)];
        float[] tokenFrequencies = TokenFrequencies(textIds, tokenizer.VocabularySize);
        Dictionary<ulong, float> wordFrequencies = WordFrequencies(textIds, words);

        int longest = Math.Min(options.TextTokens, model.Config.MaxPositions);
        int[] Cut(int[] ids) => ids.Length <= longest ? ids : ids[^longest..];
        EncodedFact[] encoded = [.. facts.Select(f => new EncodedFact(
            f.Id, f.Subject.Length == 0 ? [] : tokenizer.EncodeContinuation(" " + f.Subject), [.. f.Phrasings.Select(p => Cut(tokenizer.EncodePrompt(p)))]))];
        if (encoded.FirstOrDefault(f => f.Phrasings.Length == 0 || f.Phrasings.Any(p => p.Length == 0)) is { } empty)
        {
            throw new ArgumentException($"SketchCalibration: the fact '{empty.Id}' has no phrasing, or an empty one.");
        }

        int[][] cutTexts = [.. textIds.Select(Cut)];
        int[][] prompts = [.. cutTexts, .. encoded.SelectMany(f => f.Phrasings)];
        int layer = options.LayerFor(model.LayerCount), endingLayer = options.EndingLayerFor(model.LayerCount);
        double TokenWeight(int token) => options.TokenRarity / (options.TokenRarity + tokenFrequencies[token]);
        float[][] means = new float[prompts.Length][], lasts = new float[prompts.Length][];
        SketchPooling.ForEachBatch(model, prompts, layer, endingLayer, options.BatchTokens, (first, hidden, ending, layout) =>
        {
            for (int s = 0; s < layout.Count; s++)
            {
                int[] prompt = prompts[first + s];
                means[first + s] = SketchPooling.Pool(hidden, layout.Starts[s], prompt, words.LastSentence(prompt, options.FewestWords), TokenWeight);
                lasts[first + s] = ending.Row(layout.LastRow(s)).ToArray();
            }
        });

        // Whitening is fitted on the texts and on every other subject, the decision on the subjects in between: prompts
        // that the whitening has seen lie farther apart than new ones will.
        bool[] whitens = EveryOtherSubject(facts);
        bool[] seen = [.. cutTexts.Select(_ => true), .. encoded.SelectMany((f, i) => f.Phrasings.Select(_ => whitens[i]))];
        float[][] Seen(float[][] vectors) => [.. vectors.Where((_, i) => seen[i])];
        SketchWhitening whitening = new(
            Whitening.Fit(Seen(means), options.Components, options.VarianceFloor),
            Whitening.Fit(Seen(lasts), options.EndingComponents, options.VarianceFloor));
        float[][] sketches = [.. means.Zip(lasts, whitening.Sketch).Where((_, i) => i < cutTexts.Length || !seen[i])];
        SketchCalibration unfinished = new(
            options, layer, endingLayer, words, tokenFrequencies, wordFrequencies, whitening, ScopeModel.Undecided, default, Fingerprint(model, Math.Max(layer, endingLayer)));

        ScopeFitting fitting = new(unfinished, [.. encoded.Where((_, i) => !whitens[i])], cutTexts, sketches);
        (ScopeModel scope, ScopeQuality quality) = fitting.Run();
        return new(options, layer, endingLayer, words, tokenFrequencies, wordFrequencies, whitening, scope, quality, unfinished.fingerprint);
    }

    private static bool[] EveryOtherSubject(IReadOnlyList<CalibrationFact> facts)
    {
        Dictionary<string, int> order = new(StringComparer.Ordinal);
        bool[] result = new bool[facts.Count];
        for (int i = 0; i < result.Length; i++)
        {
            string subject = facts[i].Subject.Length > 0 ? facts[i].Subject : facts[i].Id;
            order.TryAdd(subject, order.Count);
            result[i] = order[subject] % 2 == 0;
        }

        return result;
    }

    private static float[] TokenFrequencies(int[][] texts, int vocabulary)
    {
        long[] counts = new long[vocabulary];
        long total = 0;
        foreach (int[] ids in texts)
        {
            total += ids.Length;
            foreach (int id in ids)
            {
                counts[id]++;
            }
        }

        return [.. counts.Select(count => (float)((double)count / Math.Max(1, total)))];
    }

    private static Dictionary<ulong, float> WordFrequencies(int[][] texts, PromptWords words)
    {
        Dictionary<ulong, long> counts = [];
        long total = 0;
        foreach (int[] ids in texts)
        {
            words.Read(ids, (word, _) =>
            {
                counts[word] = counts.GetValueOrDefault(word) + 1;
                total++;
            });
        }

        return counts.ToDictionary(pair => pair.Key, pair => (float)((double)pair.Value / Math.Max(1, total)));
    }
}

/// <summary>A calibration fact in tokens.</summary>
internal sealed record EncodedFact(string Id, int[] Subject, int[][] Phrasings);
