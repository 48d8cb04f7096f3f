namespace ElderManaged.Editing.Elder;

/// <summary>What the index found for a prompt.</summary>
/// <param name="InScope">Whether the prompt asks for the fact; false: the base model answers.</param>
/// <param name="Record">The number of the best record, also when out of scope; −1 if nothing is recorded.</param>
/// <param name="FactId">The fact of that record.</param>
/// <param name="Probability">The calibrated probability that the prompt asks for that fact, before the threshold.</param>
public readonly record struct FactMatch(bool InScope, int Record, string? FactId, double Probability);

/// <summary>
/// The edited facts by the sketches of their prompts: finds the one that a prompt asks for, or tells that there is none.
/// </summary>
/// <remarks>
/// Immutable: adding and removing give a new index that shares almost all memory with the old, so readers of the old one
/// are never disturbed. A record keeps its number for ever; numbers of removed records are not used again. Scanning is
/// exact: 128 bytes a record, below the cost of a forward pass up to some hundred thousand records.
/// </remarks>
public sealed class FactIndex
{
    private const int ChunkSize = 128;

    private readonly SketchCalibration calibration;
    private readonly Chunk[] chunks; // all full but the last

    private FactIndex(SketchCalibration calibration, Chunk[] chunks, int count)
    {
        (this.calibration, this.chunks, Count) = (calibration, chunks, count);
        NextRecord = chunks.Length == 0 ? 0 : ((chunks.Length - 1) * ChunkSize) + chunks[^1].Records.Length;
    }

    /// <summary>The number of records that can be found.</summary>
    public int Count { get; }

    /// <summary>The number that the next added record gets.</summary>
    public int NextRecord { get; }

    /// <summary>An index without records.</summary>
    public static FactIndex Empty(SketchCalibration calibration)
    {
        ArgumentNullException.ThrowIfNull(calibration);
        return new FactIndex(calibration, [], 0);
    }

    /// <summary>Adds one phrasing of a fact; its number is <see cref="NextRecord"/> of this index.</summary>
    /// <param name="factId">The fact; several phrasings of one fact share it.</param>
    /// <param name="sketch">Of the prompt, from <see cref="PromptSketcher"/>.</param>
    /// <param name="prompt">Token ids of the prompt.</param>
    /// <param name="subject">Token ids of the subject, empty if unknown.</param>
    public FactIndex Add(string factId, ReadOnlySpan<float> sketch, ReadOnlySpan<int> prompt, ReadOnlySpan<int> subject = default) =>
        Add(new FactRecord(factId, calibration, sketch, prompt, subject));

    /// <summary>Adds a record made before, with the same calibration.</summary>
    public FactIndex Add(FactRecord record) => AddRange([record]);

    /// <summary>Adds records in order.</summary>
    public FactIndex AddRange(IReadOnlyList<FactRecord> records)
    {
        ArgumentNullException.ThrowIfNull(records);
        return Append(records, records.Count);
    }

    /// <summary>The index without all records of a fact; the same index if there are none.</summary>
    public FactIndex Remove(string factId)
    {
        Chunk[]? changed = null;
        int count = Count;
        for (int c = 0; c < chunks.Length; c++)
        {
            int here = chunks[c].Records.Count(record => record?.FactId == factId);
            if (here > 0)
            {
                changed ??= [.. chunks];
                changed[c] = new Chunk([.. chunks[c].Records.Select(record => record?.FactId == factId ? null : record)]);
                count -= here;
            }
        }

        return changed is null ? this : new FactIndex(calibration, changed, count);
    }

    /// <summary>The record of a number, or null if it was removed.</summary>
    public FactRecord? this[int record] => (uint)record < (uint)NextRecord
        ? chunks[record / ChunkSize].Records[record % ChunkSize]
        : throw new ArgumentOutOfRangeException(nameof(record), record, $"Records have the numbers 0 to {NextRecord - 1}.");

    /// <summary>The best record for a prompt and whether the prompt is in its scope.</summary>
    /// <param name="sketch">Of the prompt.</param>
    /// <param name="prompt">Token ids of the prompt.</param>
    public FactMatch Find(ReadOnlySpan<float> sketch, ReadOnlySpan<int> prompt)
    {
        ulong exact = PromptWords.Exact(prompt);
        FactMatch best = new(false, -1, null, 0);
        double bestMargin = double.NegativeInfinity;
        foreach ((int number, FactRecord record, double[] features) in Rank(sketch, prompt))
        {
            if (calibration.Options.ExactAlwaysInScope && record.PromptHash == exact)
            {
                return new FactMatch(true, number, record.FactId, 1);
            }

            (double margin, double logit) = calibration.Scope.Judge(features, record.HasSubject);
            if (margin > bestMargin || best.Record < 0)
            {
                bestMargin = margin;
                best = new FactMatch(margin >= 0, number, record.FactId, LogisticRegression.Sigmoid(logit));
            }
        }

        return best;
    }

    /// <summary>
    /// The records that come into question, best first, newer before older among equals, with their features: ordered by
    /// the cosine of the sketch plus the share of the subject's words found. Either alone may be blind: a sketch of a small
    /// model to names, words to names written otherwise.
    /// </summary>
    internal List<(int Number, FactRecord Record, double[] Features)> Rank(ReadOnlySpan<float> sketch, ReadOnlySpan<int> prompt)
    {
        int half = calibration.SketchWhitening.Mean.Components;
        Sketch8 query = new(sketch[..half]);
        int wanted = Math.Min(calibration.Options.Candidates, Count);
        WordBag asked = calibration.WordsOf(prompt);
        Span<float> subjects = stackalloc float[ChunkSize];
        PriorityQueue<int, (float, int)> nearest = new(wanted + 1); // the farthest of the nearest comes out first
        float least = float.NegativeInfinity;
        for (int c = 0; c < chunks.Length; c++)
        {
            Chunk chunk = chunks[c];
            chunk.FindSubjects(asked, subjects);
            for (int i = 0; i < chunk.Records.Length; i++)
            {
                if (chunk.Records[i] is null)
                {
                    continue;
                }

                float similarity = chunk.Similarity(i, query) + subjects[i];
                if (similarity >= least || nearest.Count < wanted)
                {
                    int number = (c * ChunkSize) + i;
                    nearest.Enqueue(number, (similarity, number));
                    if (nearest.Count > wanted)
                    {
                        nearest.Dequeue();
                    }

                    if (nearest.Count == wanted && nearest.TryPeek(out _, out (float Similarity, int) farthest))
                    {
                        least = farthest.Similarity;
                    }
                }
            }
        }

        List<(int, FactRecord, double[])> ranked = new(wanted);
        while (nearest.TryDequeue(out int number, out _))
        {
            FactRecord record = this[number]!;
            ranked.Add((number, record, ScopeModel.Features(record.Sketch.Dot(sketch[..half]), record.Subject, record.Words, asked, record.Ending.Dot(sketch[half..]))));
        }

        ranked.Reverse();
        return ranked;
    }

    private FactIndex Append(IReadOnlyList<FactRecord?> records, int alive)
    {
        if (records.Count == 0)
        {
            return this;
        }

        List<Chunk> next = [.. chunks];
        int done = 0;
        if (next.Count > 0 && next[^1].Records.Length < ChunkSize)
        {
            done = Math.Min(ChunkSize - next[^1].Records.Length, records.Count);
            next[^1] = new Chunk([.. next[^1].Records, .. records.Take(done)]);
        }

        for (; done < records.Count; done += ChunkSize)
        {
            next.Add(new Chunk([.. records.Skip(done).Take(ChunkSize)]));
        }

        return new FactIndex(calibration, [.. next], Count + alive);
    }

    /// <summary>
    /// Records in a row with their codes side by side, so that a scan reads memory in order, and their subjects by word.
    /// </summary>
    private sealed class Chunk
    {
        private readonly sbyte[] codes;
        private readonly float[] scales;
        private readonly int stride;
        private readonly Dictionary<ulong, List<(int Record, float Share)>> subjects = [];

        public Chunk(FactRecord?[] records)
        {
            Records = records;
            stride = records.Max(record => record?.Sketch.Codes.Length ?? 0);
            codes = new sbyte[stride * records.Length];
            scales = new float[records.Length];
            for (int i = 0; i < records.Length; i++)
            {
                if (records[i] is { } record)
                {
                    record.Sketch.Codes.CopyTo(codes.AsSpan(i * stride));
                    scales[i] = record.Sketch.Scale;
                    for (int w = 0; w < record.Subject.Words.Length; w++)
                    {
                        ulong word = record.Subject.Words[w];
                        if (!subjects.TryGetValue(word, out List<(int, float)>? places))
                        {
                            subjects[word] = places = [];
                        }

                        places.Add((i, record.Subject.Share(w)));
                    }
                }
            }
        }

        public FactRecord?[] Records { get; }

        /// <summary>The share of each record's subject that is found among the words asked.</summary>
        public void FindSubjects(WordBag asked, Span<float> found)
        {
            found.Clear();
            foreach (ulong word in asked.Words)
            {
                if (subjects.TryGetValue(word, out List<(int Record, float Share)>? places))
                {
                    foreach ((int record, float share) in places)
                    {
                        found[record] += share;
                    }
                }
            }
        }

        public float Similarity(int i, Sketch8 query) =>
            scales[i] * query.Scale * Sketch8.Dot(codes.AsSpan(i * stride, stride), query.Codes);
    }
}
