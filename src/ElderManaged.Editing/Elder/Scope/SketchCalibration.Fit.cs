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
    /// <param name="options">The constants; the usual ones if null. They also say how many of the texts and facts run through the model.</param>
    /// <param name="progress">Told which part of the work is done, from 0 to 1.</param>
    /// <param name="cancellationToken">Stops between two batches of prompts.</param>
    /// <exception cref="ArgumentException">Too few texts or facts to learn from.</exception>
    public static SketchCalibration Fit(
        TransformerModel model, ITokenizer tokenizer, IReadOnlyList<string> texts, IReadOnlyList<CalibrationFact> facts, SketchOptions? options = null,
        IProgress<double>? progress = null, CancellationToken cancellationToken = default)
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

        // Whitening is fitted on texts and on every other subject, the decision on texts and on the subjects in between:
        // prompts that the whitening has seen lie farther apart than new ones will.
        int[][] cutTexts = [.. textIds.Select(Cut)];
        bool[] whitens = EveryOtherSubject(facts);
        (int[][] decidingTexts, int[][] otherTexts) = Divide(cutTexts, options.DecisionTexts ?? cutTexts.Length);
        EncodedFact[] deciding = [.. encoded.Where((_, i) => !whitens[i]).Take(options.DecisionFacts ?? encoded.Length)];
        (int[][] whitening, _) = Divide([.. otherTexts, .. encoded.Where((_, i) => whitens[i]).SelectMany(f => f.Phrasings)], options.WhiteningPrompts ?? int.MaxValue);
        // The mean is whitened in many directions, the ending in few: of the prompts that are read for the whitening alone,
        // some are enough for the ending, and the others need not run as far.
        (int[][] far, int[][] near) = Divide(whitening, options.WhiteningPrompts is { } most ? Math.Min(most / 3, whitening.Length) : whitening.Length);

        int[][] prompts = [.. decidingTexts, .. deciding.SelectMany(f => f.Phrasings), .. far, .. near];
        int layer = options.LayerFor(model.LayerCount), endingLayer = options.EndingLayerFor(model.LayerCount);
        double TokenWeight(int token) => options.TokenRarity / (options.TokenRarity + tokenFrequencies[token]);
        float[][] means = new float[prompts.Length][], lasts = new float[prompts.Length - near.Length][];
        double all = prompts.Select((p, i) => (double)p.Length * ((i < lasts.Length ? Math.Max(layer, endingLayer) : layer) + 1)).Sum(), done = 0;
        void Read(int start, int end, int upTo) => SketchPooling.ForEachBatch(model, prompts[start..end], layer, upTo, options.BatchTokens, (first, hidden, ending, layout) =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (int s = 0; s < layout.Count; s++)
            {
                int i = start + first + s;
                means[i] = SketchPooling.Pool(hidden, layout.Starts[s], prompts[i], words.LastSentence(prompts[i], options.FewestWords), TokenWeight);
                if (i < lasts.Length)
                {
                    lasts[i] = ending.ReadOnlyRow(layout.LastRow(s)).ToArray();
                }
            }

            done += layout.Rows * (Math.Max(layer, upTo) + 1.0);
            progress?.Report(done / all);
        });
        Read(0, lasts.Length, endingLayer);
        Read(lasts.Length, prompts.Length, layer);

        int asked = decidingTexts.Length, unseen = asked + deciding.Sum(f => f.Phrasings.Length);
        SketchWhitening sketching = new(
            Whitening.Fit([.. means[..asked], .. means[unseen..]], options.Components, options.VarianceFloor),
            Whitening.Fit([.. lasts[..asked], .. lasts[unseen..]], options.EndingComponents, options.VarianceFloor));
        float[][] sketches = [.. means.Take(unseen).Zip(lasts, sketching.Sketch)];
        SketchCalibration unfinished = new(
            options, layer, endingLayer, words, tokenFrequencies, wordFrequencies, sketching, ScopeModel.Undecided, default, Fingerprint(model, Math.Max(layer, endingLayer)));

        ScopeFitting fitting = new(unfinished, deciding, decidingTexts, sketches);
        (ScopeModel scope, ScopeQuality quality) = fitting.Run();
        return new(options, layer, endingLayer, words, tokenFrequencies, wordFrequencies, sketching, scope, quality, unfinished.fingerprint);
    }

    /// <summary>At most so many items, evenly from everywhere, and the others; both in order.</summary>
    private static (int[][] Chosen, int[][] Others) Divide(int[][] items, int count)
    {
        bool Chosen(int i) => (long)(i + 1) * count / items.Length > (long)i * count / items.Length;
        return count >= items.Length ? (items, []) : ([.. items.Where((_, i) => Chosen(i))], [.. items.Where((_, i) => !Chosen(i))]);
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
