using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// GPT-2's tokenizer: byte-level byte-pair encoding. Text is cut into words, each word into its UTF-8 bytes, and
/// neighbouring tokens are merged, the earliest learned merge first, until none applies. Every text can be encoded
/// and comes back unchanged. Safe to use from several threads.
/// </summary>
public sealed class ByteLevelBpe : ITokenizer
{
    /// <summary>How the token that ends a document is written.</summary>
    public const string EndOfText = "<|endoftext|>";

    // Words recur (Zipf), so their merges are remembered; both limits bound the memory strange text can take.
    private const int CachedWords = 1 << 16;
    private const int CachedWordLength = 64;

    private readonly string[] _spellings;
    private readonly byte[][] _bytes;
    private readonly int[] _byteIds = new int[256];
    private readonly (int Left, int Right)[] _merges;
    private readonly Dictionary<long, (int Rank, int Id)> _ranks;
    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);

    /// <summary>Builds a tokenizer from its vocabulary and merges, spelled as in GPT-2's files.</summary>
    /// <param name="spellings">The tokens in order of their ids.</param>
    /// <param name="merges">The merges, the earliest learned first.</param>
    /// <exception cref="ArgumentException">A byte, a merge's part or <c>&lt;|endoftext|&gt;</c> is no token.</exception>
    public ByteLevelBpe(IReadOnlyList<string> spellings, IReadOnlyList<(string Left, string Right)> merges)
    {
        ArgumentNullException.ThrowIfNull(spellings);
        ArgumentNullException.ThrowIfNull(merges);
        _spellings = [.. spellings];
        Dictionary<string, int> ids = new(_spellings.Length, StringComparer.Ordinal);
        for (int id = 0; id < _spellings.Length; id++)
        {
            if (!ids.TryAdd(_spellings[id], id))
            {
                throw new ArgumentException($"The vocabulary holds the token '{_spellings[id]}' twice (ids {ids[_spellings[id]]} and {id}).");
            }
        }

        int Find(string spelling, string what) => ids.TryGetValue(spelling, out int id)
            ? id
            : throw new ArgumentException($"{what}, but '{spelling}' is not among the {ids.Count} tokens of the vocabulary.");

        EndOfTextId = Find(EndOfText, "The vocabulary must hold the end of text");
        _bytes = Array.ConvertAll(_spellings, s => ByteAlphabet.TryRead(s, out byte[]? bytes) ? bytes : Encoding.UTF8.GetBytes(s));
        for (int b = 0; b < 256; b++)
        {
            _byteIds[b] = Find(ByteAlphabet.ToChar((byte)b).ToString(), $"The vocabulary must hold all 256 bytes, also byte {b}");
        }

        _merges = new (int, int)[merges.Count];
        _ranks = new Dictionary<long, (int, int)>(merges.Count);
        for (int rank = 0; rank < _merges.Length; rank++)
        {
            (string left, string right) = merges[rank];
            string what = $"Merge {rank + 1} joins '{left}' and '{right}'";
            _merges[rank] = (Find(left, what), Find(right, what));
            if (!_ranks.TryAdd(Key(_merges[rank].Left, _merges[rank].Right), (rank, Find(left + right, what))))
            {
                throw new ArgumentException($"{what}, which an earlier merge already does.");
            }
        }
    }

    /// <inheritdoc/>
    public int VocabularySize => _spellings.Length;

    /// <inheritdoc/>
    public int EndOfTextId { get; }

    /// <summary>The tokens in order of their ids, spelled as in GPT-2's <c>vocab.json</c>.</summary>
    public IReadOnlyList<string> Spellings => _spellings;

    /// <summary>The merges as pairs of ids, the earliest learned first.</summary>
    public IReadOnlyList<(int Left, int Right)> Merges => _merges;

    /// <summary>Reads <c>vocab.json</c> and <c>merges.txt</c> in GPT-2's format from a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="FileNotFoundException">One of the two files is missing.</exception>
    /// <exception cref="InvalidDataException">One of the two files is malformed, or they do not fit together.</exception>
    public static ByteLevelBpe Load(string folder) => BpeFiles.Load(folder);

    /// <summary>
    /// Writes <c>vocab.json</c>, <c>merges.txt</c> and a <c>tokenizer_config.json</c>, which Hugging Face's GPT-2
    /// tokenizer reads as well.
    /// </summary>
    /// <param name="folder">The folder; it is created if missing.</param>
    public void Save(string folder) => BpeFiles.Save(this, folder);

    /// <inheritdoc/>
    public int[] Encode(string text) => Encode(text, allowSpecial: false);

    /// <inheritdoc/>
    public int[] EncodeWithSpecial(string text) => Encode(text, allowSpecial: true);

    /// <summary>Encodes text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="allowSpecial">Whether <c>&lt;|endoftext|&gt;</c> written out in the text becomes the special token.</param>
    /// <returns>The token ids.</returns>
    public int[] Encode(string text, bool allowSpecial)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> ids = new(text.Length / 3 + 1);
        int start = 0;
        if (allowSpecial)
        {
            for (int end; (end = text.IndexOf(EndOfText, start, StringComparison.Ordinal)) >= 0; start = end + EndOfText.Length)
            {
                AppendPlain(text[start..end], ids);
                ids.Add(EndOfTextId);
            }
        }

        AppendPlain(start == 0 ? text : text[start..], ids);
        return [.. ids];
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids)
    {
        int length = 0;
        foreach (int id in ids)
        {
            length += BytesOf(id).Length;
        }

        byte[] bytes = new byte[length];
        int at = 0;
        foreach (int id in ids)
        {
            _bytes[id].CopyTo(bytes, at);
            at += _bytes[id].Length;
        }

        return Encoding.UTF8.GetString(bytes);
    }

    /// <inheritdoc/>
    public string TokenText(int id) => Encoding.UTF8.GetString(BytesOf(id));

    private static long Key(int left, int right) => ((long)left << 32) | (uint)right;

    private byte[] BytesOf(int id) => (uint)id < (uint)_bytes.Length
        ? _bytes[id]
        : throw new ArgumentOutOfRangeException(nameof(id), id, string.Create(CultureInfo.InvariantCulture, $"Token ids run from 0 to {_bytes.Length - 1}."));

    private void AppendPlain(string text, List<int> ids)
    {
        ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> cached = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (ValueMatch piece in PreTokenizer.Split(text))
        {
            ReadOnlySpan<char> word = text.AsSpan(piece.Index, piece.Length);
            if (!cached.TryGetValue(word, out int[]? merged))
            {
                merged = Merge(word);
                // The bound is soft: threads may pass it together by a few words.
                if (word.Length <= CachedWordLength && _cache.Count < CachedWords)
                {
                    cached.TryAdd(word, merged);
                }
            }

            ids.AddRange(merged);
        }
    }

    // A linked list of tokens and a queue of possible merges: near-linear also for one word of a megabyte.
    private int[] Merge(ReadOnlySpan<char> word)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(word)];
        Encoding.UTF8.GetBytes(word, bytes);
        int n = bytes.Length;
        int[] token = new int[n];
        int[] next = new int[n];
        int[] previous = new int[n];
        PriorityQueue<(int At, int Left, int Right), (int Rank, int At)> queue = new();

        void Consider(int at)
        {
            int after = next[at];
            if (after < n && _ranks.TryGetValue(Key(token[at], token[after]), out (int Rank, int Id) merge))
            {
                queue.Enqueue((at, token[at], token[after]), (merge.Rank, at));
            }
        }

        for (int i = 0; i < n; i++)
        {
            token[i] = _byteIds[bytes[i]];
            next[i] = i + 1;
            previous[i] = i - 1;
        }

        for (int i = 0; i < n; i++)
        {
            Consider(i);
        }

        int count = n;
        while (queue.TryDequeue(out (int At, int Left, int Right) pair, out _))
        {
            int at = pair.At;
            int after = next[at];
            // An entry is stale if one of its tokens has gone into another merge meanwhile.
            if (token[at] != pair.Left || after >= n || token[after] != pair.Right)
            {
                continue;
            }

            token[at] = _ranks[Key(pair.Left, pair.Right)].Id;
            token[after] = -1;
            next[at] = next[after];
            if (next[at] < n)
            {
                previous[next[at]] = at;
            }

            count--;
            Consider(at);
            if (previous[at] >= 0)
            {
                Consider(previous[at]);
            }
        }

        int[] result = new int[count];
        for (int i = 0, k = 0; i < n; i = next[i])
        {
            result[k++] = token[i];
        }

        return result;
    }
}
