using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// SentencePiece, the tokenizer of LLaMA and LLaMA-2: spaces are written "▁", one is put before the text, and the
/// characters are merged to pieces, the highest score first; a character that is no piece becomes its UTF-8 bytes. Safe
/// to use from several threads. Made by <see cref="Tokenizer.Load"/>.
/// </summary>
/// <remarks>
/// Control tokens decode to nothing, as in the original, and bytes that form no character to one U+FFFD each.
/// Taku Kudo and John Richardson, SentencePiece, EMNLP 2018, https://arxiv.org/abs/1808.06226v1.
/// </remarks>
public sealed class SentencePieceTokenizer : ITokenizer
{
    private readonly SentencePieceOptions _options;
    private readonly TokenBytes _bytes;
    private readonly SentencePieceNormalizer _normalizer;
    private readonly AddedTokens _added;
    private readonly AddedTokens _userDefined;
    private readonly IPieceSearch _search;
    private readonly int[]? _byteIds;
    private readonly int _unknown;
    private readonly bool _cutsAtSpaces;
    private readonly WordCache _cache = new();

    internal SentencePieceTokenizer(SentencePieceOptions options)
    {
        _options = options;
        PieceTable table = new(options);
        _bytes = table.Bytes;
        _unknown = table.Unknown;
        _byteIds = table.ByteIds;
        _search = options.Unigram ? new UnigramSearch(table) : new MergeSearch(table, options);
        _cutsAtSpaces = table.NoneCrossesASpace;
        _userDefined = new AddedTokens(table.Of(PieceKind.UserDefined));
        _added = new AddedTokens(options.Added ?? table.Of(PieceKind.Control));
        _normalizer = new SentencePieceNormalizer(options, _userDefined);
    }

    /// <inheritdoc/>
    public int VocabularySize => _bytes.Count;

    /// <inheritdoc/>
    public int EndOfTextId => _options.EndOfTextId;

    /// <inheritdoc/>
    public int? BeginOfTextId => _options.BeginOfTextId;

    /// <inheritdoc/>
    public IReadOnlyList<int> TextPrefix => _options.Prefix;

    /// <inheritdoc/>
    public IReadOnlyList<int> TextSuffix => _options.Suffix;

    /// <inheritdoc/>
    public int[] Encode(string text) => Encode(text, allowSpecial: false, continues: false);

    /// <inheritdoc/>
    public int[] EncodeContinuation(string text) => Encode(text, allowSpecial: false, continues: true);

    /// <inheritdoc/>
    public int[] EncodeWithSpecial(string text) => Encode(text, allowSpecial: true, continues: false);

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids) => _bytes.Decode(ids);

    /// <inheritdoc/>
    public IncrementalDecoder CreateDecoder(bool continuation = false) => new(_bytes, continuation);

    /// <inheritdoc/>
    public string TokenText(int id) => _bytes.Text(id);

    private int[] Encode(string text, bool allowSpecial, bool continues)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> ids = new(text.Length / 3 + 1);
        ReadOnlySpan<char> rest = text;
        for (int at; (at = _added.Find(rest, allowSpecial, out AddedToken token)) >= 0; rest = rest[(at + token.Text.Length)..])
        {
            Append(rest[..at], ids.Count == 0, continues, ids);
            ids.Add(token.Id);
        }

        Append(rest, ids.Count == 0, continues, ids);
        return [.. ids];
    }

    private void Append(ReadOnlySpan<char> text, bool first, bool continues, List<int> ids)
    {
        DummySpace dummy = first ? (continues ? DummySpace.None : _options.DummySpace)
            : _options.DummySpaceAfterAdded ? _options.DummySpace : DummySpace.None;
        ReadOnlySpan<char> rest = _normalizer.Normalize(text, dummy, continues && first);
        for (int at; (at = _userDefined.Find(rest, special: true, out AddedToken token)) >= 0; rest = rest[(at + token.Text.Length)..])
        {
            AppendText(rest[..at], ids);
            ids.Add(token.Id);
        }

        AppendText(rest, ids);
    }

    private void AppendText(ReadOnlySpan<char> text, List<int> ids)
    {
        bool afterUnknown = false;
        while (text.Length > 0)
        {
            int end = _cutsAtSpaces ? WordEnd(text) : text.Length;
            AppendWord(text[..end], ids, ref afterUnknown);
            text = text[end..];
        }
    }

    // No piece has "▁" behind another character, so nothing merges across such a place: words can be done one by one.
    private static int WordEnd(ReadOnlySpan<char> text)
    {
        int letters = text.IndexOfAnyExcept(PieceTable.Space);
        if (letters < 0)
        {
            return text.Length;
        }

        int space = text[letters..].IndexOf(PieceTable.Space);
        return space < 0 ? text.Length : letters + space;
    }

    private void AppendWord(ReadOnlySpan<char> word, List<int> ids, ref bool afterUnknown)
    {
        if (_cache.TryGet(word, out int[]? known))
        {
            ids.AddRange(known);
            afterUnknown = false;
            return;
        }

        int[] symbols = ArrayPool<int>.Shared.Rent(word.Length);
        int n = _search.Find(word, symbols);
        int start = ids.Count;
        bool cacheable = true;
        foreach (int symbol in symbols.AsSpan(0, n))
        {
            if (symbol >= 0)
            {
                ids.Add(symbol);
                afterUnknown = false;
            }
            else if (_byteIds is not null)
            {
                AppendBytes(new Rune(~symbol), ids);
                afterUnknown = false;
            }
            else
            {
                cacheable = false; // the next word may go on with the same unknown token
                if (!afterUnknown || !_options.FuseUnknown)
                {
                    ids.Add(_unknown);
                }

                afterUnknown = true;
            }
        }

        if (cacheable)
        {
            _cache.Add(word, CollectionsMarshal.AsSpan(ids)[start..]);
        }

        ArrayPool<int>.Shared.Return(symbols);
    }

    private void AppendBytes(Rune character, List<int> ids)
    {
        Span<byte> bytes = stackalloc byte[4];
        foreach (byte b in bytes[..character.EncodeToUtf8(bytes)])
        {
            ids.Add(_byteIds![b]);
        }
    }
}
