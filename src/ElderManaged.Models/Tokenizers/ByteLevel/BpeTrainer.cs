using System.Text;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// Learns a <see cref="ByteLevelBpe"/> from text: starting from the 256 bytes, the most frequent neighbouring pair
/// of tokens becomes a new token, again and again. The result depends on the words and their counts alone, not on
/// the order they come in: ties go to the pair whose bytes come first.
/// </summary>
public static class BpeTrainer
{
    // A pair that occurs once saves nothing.
    private const long FewestOccurrences = 2;

    /// <summary>Counts the words of texts, cut as GPT-2 cuts them (a word carries its leading space).</summary>
    /// <param name="texts">The texts.</param>
    /// <returns>How often each word occurs.</returns>
    public static IReadOnlyDictionary<string, long> CountWords(IEnumerable<string> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        Dictionary<string, long> counts = new(StringComparer.Ordinal);
        Dictionary<string, long>.AlternateLookup<ReadOnlySpan<char>> lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        List<(int Start, int Length)> pieces = [];
        foreach (string text in texts)
        {
            pieces.Clear();
            WordSplitter.Gpt2.Split(text, pieces);
            foreach ((int start, int length) in pieces)
            {
                ReadOnlySpan<char> word = text.AsSpan(start, length);
                lookup.TryGetValue(word, out long count);
                lookup[word] = count + 1;
            }
        }

        return counts;
    }

    /// <summary>
    /// Trains a tokenizer. Ids: the 256 bytes in GPT-2's order, the merged tokens as they were learned, and
    /// <c>&lt;|endoftext|&gt;</c> last. The vocabulary stays smaller than asked for if no pair occurs twice any more.
    /// </summary>
    /// <param name="words">Words and how often they occur, from <see cref="CountWords"/>; a word may come more than once.</param>
    /// <param name="vocabularySize">Number of tokens, at least 257.</param>
    /// <returns>The tokenizer.</returns>
    public static ByteLevelBpe Train(IEnumerable<KeyValuePair<string, long>> words, int vocabularySize)
    {
        ArgumentNullException.ThrowIfNull(words);
        if (vocabularySize < 257)
        {
            throw new ArgumentOutOfRangeException(nameof(vocabularySize), vocabularySize, "A byte-level vocabulary holds at least the 256 bytes and the end of text: 257 tokens.");
        }

        Training training = new(words);
        training.Run(vocabularySize - 1);
        return new ByteLevelBpe([.. training.Spellings, ByteLevelBpe.EndOfText], training.Merges);
    }

    /// <summary>A pair of neighbouring tokens with the spellings that order it among equally frequent ones.</summary>
    private readonly record struct Candidate(long Count, byte[] LeftBytes, byte[] RightBytes);

    private sealed class MostFrequentFirst : IComparer<Candidate>
    {
        public int Compare(Candidate x, Candidate y)
        {
            int order = y.Count.CompareTo(x.Count);
            order = order != 0 ? order : x.LeftBytes.AsSpan().SequenceCompareTo(y.LeftBytes);
            return order != 0 ? order : x.RightBytes.AsSpan().SequenceCompareTo(y.RightBytes);
        }
    }

    private sealed class Training
    {
        private readonly List<int[]> _words = [];
        private readonly List<long> _counts = [];
        private readonly List<byte[]> _tokens = [];
        private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
        private readonly Dictionary<(int Left, int Right), long> _pairs = [];
        private readonly Dictionary<(int Left, int Right), HashSet<int>> _places = [];
        private readonly PriorityQueue<(int Left, int Right), Candidate> _queue = new(new MostFrequentFirst());
        private readonly HashSet<(int Left, int Right)> _grown = [];

        public Training(IEnumerable<KeyValuePair<string, long>> words)
        {
            int[] byteIds = new int[256];
            foreach (byte b in ByteAlphabet.Order)
            {
                byteIds[b] = Token([b]);
            }

            foreach ((string word, long count) in words)
            {
                _words.Add(Array.ConvertAll(Encoding.UTF8.GetBytes(word), b => byteIds[b]));
                _counts.Add(count);
                Count(_words.Count - 1, +1);
            }

            QueueGrown();
        }

        public List<string> Spellings { get; } = [];

        public List<(string Left, string Right)> Merges { get; } = [];

        public void Run(int tokens)
        {
            while (Spellings.Count < tokens && _queue.TryDequeue(out (int Left, int Right) pair, out Candidate candidate))
            {
                long count = _pairs.GetValueOrDefault(pair);
                if (count != candidate.Count)
                {
                    // Counts shrink without the queue's knowing; such a pair goes back to its true place.
                    Queue(pair, count);
                    continue;
                }

                Merge(pair);
            }
        }

        private void Merge((int Left, int Right) pair)
        {
            Merges.Add((Spellings[pair.Left], Spellings[pair.Right]));
            int merged = Token([.. _tokens[pair.Left], .. _tokens[pair.Right]]);
            // The order of the words does not matter: counts are sums.
            foreach (int w in _places[pair].ToArray())
            {
                Count(w, -1);
                _words[w] = Replace(_words[w], pair, merged);
                Count(w, +1);
            }

            _places.Remove(pair);
            _pairs.Remove(pair);
            QueueGrown();
        }

        // The same bytes can be reached through two merges; they are one token.
        private int Token(byte[] bytes)
        {
            string spelling = ByteAlphabet.Spell(bytes);
            if (_ids.TryAdd(spelling, Spellings.Count))
            {
                Spellings.Add(spelling);
                _tokens.Add(bytes);
            }

            return _ids[spelling];
        }

        private void Count(int w, int sign)
        {
            int[] word = _words[w];
            for (int i = 0; i + 1 < word.Length; i++)
            {
                (int, int) pair = (word[i], word[i + 1]);
                _pairs[pair] = _pairs.GetValueOrDefault(pair) + sign * _counts[w];
                if (sign > 0)
                {
                    if (!_places.TryGetValue(pair, out HashSet<int>? places))
                    {
                        _places[pair] = places = [];
                    }

                    places.Add(w);
                    _grown.Add(pair);
                }
            }
        }

        private static int[] Replace(int[] word, (int Left, int Right) pair, int merged)
        {
            int[] result = new int[word.Length];
            int n = 0;
            for (int i = 0; i < word.Length; i++)
            {
                bool here = i + 1 < word.Length && word[i] == pair.Left && word[i + 1] == pair.Right;
                result[n++] = here ? merged : word[i];
                i += here ? 1 : 0;
            }

            return n == word.Length ? word : result[..n];
        }

        private void QueueGrown()
        {
            foreach ((int, int) pair in _grown)
            {
                Queue(pair, _pairs.GetValueOrDefault(pair));
            }

            _grown.Clear();
        }

        private void Queue((int Left, int Right) pair, long count)
        {
            if (count >= FewestOccurrences)
            {
                _queue.Enqueue(pair, new Candidate(count, _tokens[pair.Left], _tokens[pair.Right]));
            }
        }
    }
}
