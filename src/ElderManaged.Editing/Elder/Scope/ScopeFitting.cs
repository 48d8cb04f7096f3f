using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Learns the scope decision by playing what will happen: in each round some facts are recorded in one wording, then
/// other wordings of them are asked, wordings of facts that were not recorded, and unrelated texts.
/// </summary>
internal sealed class ScopeFitting
{
    private enum Kind
    {
        Rephrasing,
        OtherFact,
        SameSubject,
        Text,
    }

    private readonly SketchOptions options;
    private readonly SketchCalibration calibration;
    private readonly EncodedFact[] facts;
    private readonly int[][] texts;
    private readonly float[][] sketches; // of the texts, then of the facts' phrasings in order
    private readonly int[] firstSketch;  // of each fact

    public ScopeFitting(SketchCalibration calibration, EncodedFact[] facts, int[][] texts, float[][] sketches)
    {
        (this.calibration, this.facts, this.texts, this.sketches) = (calibration, facts, texts, sketches);
        options = calibration.Options;
        firstSketch = new int[facts.Length];
        int next = texts.Length;
        for (int f = 0; f < facts.Length; f++)
        {
            firstSketch[f] = next;
            next += facts[f].Phrasings.Length;
        }
    }

    public (ScopeModel Scope, ScopeQuality Quality) Run()
    {
        bool subjects = facts.Count(f => f.Subject.Length > 0) * 2 > facts.Length;
        (LogisticRegression without, double thresholdWithout, ScopeQuality qualityWithout) = Learn(withSubject: false);
        if (!subjects)
        {
            return (new ScopeModel(without, thresholdWithout, without, thresholdWithout), qualityWithout);
        }

        (LogisticRegression with, double thresholdWith, ScopeQuality qualityWith) = Learn(withSubject: true);
        return (new ScopeModel(with, thresholdWith, without, thresholdWithout), qualityWith);
    }

    private List<Question> PlayAll(bool withSubject)
    {
        List<Question> questions = [];
        RandomSource random = new(options.Seed);
        for (int round = 0; round < options.Rounds; round++)
        {
            Play(random.Fork((ulong)round), withSubject, questions);
        }

        return questions.Any(q => q.Own >= 0) && questions.Any(q => q.Kind != Kind.Rephrasing)
            ? questions
            : throw new ArgumentException(
                $"SketchCalibration: {options.Rounds} rounds over {facts.Length} facts gave no rephrasing or no unrecorded prompt to learn from; give more facts in several wordings.");
    }

    private void Play(RandomSource random, bool withSubject, List<Question> questions)
    {
        int[] order = [.. Enumerable.Range(0, facts.Length)];
        random.Shuffle<int>(order);
        int recorded = Math.Clamp((int)Math.Round(options.RecordedShare * order.Length), 1, order.Length - 1);
        FactIndex index = FactIndex.Empty(calibration);
        List<FactRecord> records = [];
        List<(Kind Kind, int Sketch, int[] Prompt, int Fact)> asked = [];
        for (int k = 0; k < order.Length; k++)
        {
            int f = order[k];
            int[] phrasings = [.. Enumerable.Range(0, facts[f].Phrasings.Length)];
            random.Shuffle<int>(phrasings);
            int start = 0;
            if (k < recorded)
            {
                start = 1;
                records.Add(new FactRecord(facts[f].Id, calibration, sketches[firstSketch[f] + phrasings[0]], facts[f].Phrasings[phrasings[0]], withSubject ? facts[f].Subject : []));
            }

            foreach (int p in phrasings.Skip(start).Take(options.AskedPhrasings))
            {
                asked.Add((k < recorded ? Kind.Rephrasing : Kind.OtherFact, firstSketch[f] + p, facts[f].Phrasings[p], f));
            }
        }

        index = index.AddRange(records);
        int[] chosen = [.. Enumerable.Range(0, texts.Length)];
        random.Shuffle<int>(chosen);
        asked.AddRange(chosen.Take(options.UnrelatedTexts).Select(t => (Kind.Text, t, texts[t], -1)));
        HashSet<ulong> recordedSubjects = [.. order.Take(recorded).Select(f => PromptWords.Exact(facts[f].Subject))];
        foreach ((Kind kind, int sketch, int[] prompt, int fact) in asked)
        {
            var ranked = index.Rank(sketches[sketch], prompt);
            double[][] features = [.. ranked.Select(r => r.Features)];
            int own = fact < 0 ? -1 : ranked.FindIndex(r => r.Record.FactId == facts[fact].Id);
            // A text that states a recorded fact is not unrelated to it: nothing can be learned from it.
            if (kind == Kind.Text && ranked.Any(r => r.Features[2] > 0.95 || (r.Record.HasSubject && r.Features[1] > 0.999)))
            {
                continue;
            }

            bool sameSubject = kind == Kind.OtherFact && facts[fact].Subject.Length > 0 && recordedSubjects.Contains(PromptWords.Exact(facts[fact].Subject));
            questions.Add(new Question(sameSubject ? Kind.SameSubject : kind, features, own));
        }
    }

    /// <summary>One pass against the nearest wrong record of each question, one more against the most convincing.</summary>
    private (LogisticRegression Model, double Threshold, ScopeQuality Quality) Learn(bool withSubject)
    {
        List<Question> questions = PlayAll(withSubject);
        List<double[]> examples = [];
        List<bool> labels = [];
        foreach (Question question in questions)
        {
            if (question.Own >= 0)
            {
                examples.Add(question.Features[question.Own]);
                labels.Add(true);
            }

            AddNegative(question, question.Own == 0 ? 1 : 0);
        }

        LogisticRegression model = LogisticRegression.Fit(examples, labels, options.Ridge);
        foreach (Question question in questions)
        {
            AddNegative(question, Best(question, question.Own));
        }

        model = LogisticRegression.Fit(examples, labels, options.Ridge);
        return (model, Threshold(out ScopeQuality quality), quality);

        void AddNegative(Question question, int candidate)
        {
            if ((uint)candidate < (uint)question.Features.Length)
            {
                examples.Add(question.Features[candidate]);
                labels.Add(false);
            }
        }

        int Best(Question question, int except)
        {
            int best = -1;
            double highest = double.NegativeInfinity;
            for (int i = 0; i < question.Features.Length; i++)
            {
                double logit = i == except ? double.NegativeInfinity : model.Logit(question.Features[i]);
                if (logit > highest)
                {
                    (best, highest) = (i, logit);
                }
            }

            return best;
        }

        double Threshold(out ScopeQuality quality)
        {
            Dictionary<Kind, List<double>> logits = new() { [Kind.Rephrasing] = [], [Kind.OtherFact] = [], [Kind.SameSubject] = [], [Kind.Text] = [] };
            int rephrasings = 0, nearest = 0;
            foreach (Question question in questions)
            {
                int best = Best(question, except: -1);
                bool rephrasing = question.Kind == Kind.Rephrasing;
                rephrasings += rephrasing ? 1 : 0;
                nearest += rephrasing && question.Own == 0 ? 1 : 0;
                if (best >= 0 && (!rephrasing || best == question.Own))
                {
                    logits[question.Kind].Add(model.Logit(question.Features[best]));
                }
            }

            double negatives = Math.Max(Highest(logits[Kind.OtherFact], options.FalseScopeRate), Highest(logits[Kind.Text], options.FalseScopeRate));
            double positives = -Highest([.. logits[Kind.Rephrasing].Select(x => -x)], options.FalseScopeRate);
            // InScope is logit ≥ threshold, so the first number above what must stay out.
            double threshold = positives > negatives
                ? Math.Max(negatives + (options.GapShare * (positives - negatives)), Math.BitIncrement(negatives))
                : Math.BitIncrement(negatives);
            double floor = -Highest([.. logits[Kind.Rephrasing].Select(x => -x)], Math.Max(0, 1 - (options.RecallFloor * rephrasings / Math.Max(1, logits[Kind.Rephrasing].Count))));
            threshold = Math.Max(threshold, Math.Min(floor, Math.BitIncrement(Highest(logits[Kind.SameSubject], options.FalseScopeRate))));
            quality = new ScopeQuality(
                (double)logits[Kind.Rephrasing].Count(x => x >= threshold) / Math.Max(1, rephrasings),
                Share(logits[Kind.OtherFact]), Share(logits[Kind.SameSubject]), Share(logits[Kind.Text]), (double)nearest / Math.Max(1, rephrasings));
            return threshold;

            double Share(List<double> values) => (double)values.Count(x => x >= threshold) / Math.Max(1, values.Count);
        }
    }

    /// <summary>What at most the given share of the values exceeds; a very low number for none.</summary>
    private static double Highest(List<double> values, double share)
    {
        double[] descending = [.. values.OrderDescending()];
        return descending.Length == 0 ? -1e3 : descending[Math.Min(descending.Length - 1, (int)Math.Floor(share * descending.Length))];
    }

    /// <summary>A prompt that was asked, with the features of the nearest records and the place of the right one, or −1.</summary>
    private sealed record Question(Kind Kind, double[][] Features, int Own);
}
