using System.Buffers;
using System.Text;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// Byte-level byte-pair encoding, the tokenizer of GPT-2, SmolLM and LLaMA-3. Text is cut into words, each word into its
/// UTF-8 bytes, and neighbouring tokens are merged, the earliest learned merge first, until none applies. Every text comes
/// back unchanged, unless the vocabulary lacks some of its bytes. Safe to use from several threads.
/// </summary>
public sealed class ByteLevelBpe : ITokenizer
{
    /// <summary>How GPT-2's token that ends a document is written.</summary>
    public const string EndOfText = "<|endoftext|>";

    private const int NoToken = -1;

    private readonly string[] _spellings;
    private readonly TokenBytes _bytes;
    private readonly int[] _byteIds = new int[256];
    private readonly (int Left, int Right)[] _merges;
    private readonly MergeTable _table;
    private readonly Dictionary<string, int>? _wholeWords;
    private readonly ByteLevelOptions _options;
    private readonly AddedTokens _added;
    private readonly WordCache _cache = new();

    /// <summary>Builds GPT-2's tokenizer from its vocabulary and merges, spelled as in GPT-2's files.</summary>
    /// <param name="spellings">The tokens in order of their ids.</param>
    /// <param name="merges">The merges, the earliest learned first.</param>
    /// <exception cref="ArgumentException">A byte, a merge's part or <c>&lt;|endoftext|&gt;</c> is no token.</exception>
    public ByteLevelBpe(IReadOnlyList<string> spellings, IReadOnlyList<(string Left, string Right)> merges)
        : this(spellings, merges, ids => new ByteLevelOptions
        {
            EndOfTextId = Find(ids, EndOfText, "The vocabulary must hold the end of text"),
            Added = [new AddedToken(EndOfText, ids[EndOfText], Special: true)],
        })
    {
    }

    /// <summary>Builds a tokenizer whose options may depend on the ids of its tokens.</summary>
    internal ByteLevelBpe(
        IReadOnlyList<string> spellings, IReadOnlyList<(string Left, string Right)> merges, Func<Dictionary<string, int>, ByteLevelOptions> options)
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

        _options = options(ids);
        _added = new AddedTokens(_options.Added);
        _bytes = new TokenBytes(
            Array.ConvertAll(_spellings, s => ByteAlphabet.TryRead(s, out byte[]? bytes) ? bytes : Encoding.UTF8.GetBytes(s)),
            TokenBytes.OneForEachPart, LeadingSpace.Kept);
        for (int b = 0; b < 256; b++)
        {
            string spelling = ByteAlphabet.ToChar((byte)b).ToString();
            _byteIds[b] = !_options.MayLackBytes ? Find(ids, spelling, $"The vocabulary must hold all 256 bytes, also byte {b}")
                : ids.TryGetValue(spelling, out int id) ? id : _options.UnknownId ?? NoToken;
        }

        _merges = new (int, int)[merges.Count];
        _table = new MergeTable(merges.Count);
        for (int rank = 0; rank < _merges.Length; rank++)
        {
            (string left, string right) = merges[rank];
            string what = $"Merge {rank + 1} joins '{left}' and '{right}'";
            _merges[rank] = (Find(ids, left, what), Find(ids, right, what));
            if (!_table.TryAdd(_merges[rank].Left, _merges[rank].Right, rank, Find(ids, left + right, what)))
            {
                throw new ArgumentException($"{what}, which an earlier merge already does.");
            }
        }

        if (_options.WholeWordsFirst)
        {
            _wholeWords = ids;
            foreach (AddedToken token in _options.Added)
            {
                ids.Remove(token.Text); // found before, or not allowed
            }
        }
    }

    /// <inheritdoc/>
    public int VocabularySize => _spellings.Length;

    /// <inheritdoc/>
    public int EndOfTextId => _options.EndOfTextId;

    /// <inheritdoc/>
    public int? BeginOfTextId => _options.BeginOfTextId;

    /// <inheritdoc/>
    public IReadOnlyList<int> TextPrefix => _options.Prefix;

    /// <inheritdoc/>
    public IReadOnlyList<int> TextSuffix => _options.Suffix;

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

    /// <inheritdoc/>
    public int[] EncodeContinuation(string text) => Encode(text, allowSpecial: false);

    /// <summary>Encodes text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="allowSpecial">Whether a special token such as <c>&lt;|endoftext|&gt;</c> that is written out in the text becomes itself.</param>
    /// <returns>The token ids.</returns>
    public int[] Encode(string text, bool allowSpecial)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> ids = new(text.Length / 3 + 1);
        List<(int Start, int Length)> words = [];
        ReadOnlySpan<char> rest = text;
        for (int at; (at = _added.Find(rest, allowSpecial, out AddedToken token)) >= 0; rest = rest[(at + token.Text.Length)..])
        {
            AppendPlain(rest[..at], words, ids);
            ids.Add(token.Id);
        }

        AppendPlain(rest, words, ids);
        return [.. ids];
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids) => _bytes.Decode(ids);

    /// <inheritdoc/>
    public IncrementalDecoder CreateDecoder(bool continuation = false) => new(_bytes, continuation);

    /// <inheritdoc/>
    public string TokenText(int id) => _bytes.Text(id);

    private static int Find(Dictionary<string, int> ids, string spelling, string what) => ids.TryGetValue(spelling, out int id)
        ? id
        : throw new ArgumentException($"{what}, but '{spelling}' is not among the {ids.Count} tokens of the vocabulary.");

    private void AppendPlain(ReadOnlySpan<char> text, List<(int Start, int Length)> words, List<int> ids)
    {
        words.Clear();
        _options.Words.Split(text, words);
        foreach ((int start, int length) in words)
        {
            ReadOnlySpan<char> word = text.Slice(start, length);
            if (_cache.TryGet(word, out int[]? known))
            {
                ids.AddRange(known);
            }
            else
            {
                AppendWord(word, ids);
            }
        }
    }

    private void AppendWord(ReadOnlySpan<char> word, List<int> ids)
    {
        int most = Encoding.UTF8.GetMaxByteCount(word.Length);
        byte[] bytes = ArrayPool<byte>.Shared.Rent(most);
        int[] symbols = ArrayPool<int>.Shared.Rent(most);
        int n = Encoding.UTF8.GetBytes(word, bytes);
        if (_wholeWords is not null && _wholeWords.TryGetValue(ByteAlphabet.Spell(bytes.AsSpan(0, n)), out int whole))
        {
            (symbols[0], n) = (whole, 1);
        }
        else
        {
            int count = 0;
            foreach (byte b in bytes.AsSpan(0, n))
            {
                symbols[count] = _byteIds[b];
                count += symbols[count] == NoToken ? 0 : 1;
            }

            n = BpeMerger.Merge(symbols.AsSpan(0, count), _table);
        }

        ids.AddRange(symbols.AsSpan(0, n));
        _cache.Add(word, symbols.AsSpan(0, n));
        ArrayPool<byte>.Shared.Return(bytes);
        ArrayPool<int>.Shared.Return(symbols);
    }
}
