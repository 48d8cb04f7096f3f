using System.Text;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// Byte-pair merging over characters. SentencePiece keeps no list of merges: any two neighbours merge whose joined text is
/// a piece, the piece of the highest score first. The list is made here once: for each piece all its cuts into two parts
/// that can come up themselves.
/// </summary>
internal sealed class MergeSearch : IPieceSearch
{
    private readonly MergeTable _merges;
    private readonly Dictionary<int, int> _symbols = [];
    private readonly List<int> _loose = []; // code points of characters that are no piece but begin, end or lie in one
    private readonly int _pieces;

    public MergeSearch(PieceTable table, SentencePieceOptions options)
    {
        _pieces = table.Pieces.Length;
        foreach ((string piece, int id) in table.Ids)
        {
            if (SingleRune(piece) is int rune)
            {
                _symbols.Add(rune, id);
            }
        }

        _merges = options.Merges is null ? FromScores(table) : FromList(table, options);
    }

    public int Find(ReadOnlySpan<char> text, Span<int> symbols)
    {
        int n = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            symbols[n++] = _symbols.TryGetValue(rune.Value, out int symbol) ? symbol : ~rune.Value;
        }

        n = BpeMerger.Merge(symbols[..n], _merges);
        foreach (ref int symbol in symbols[..n])
        {
            symbol = symbol < _pieces ? symbol : ~_loose[symbol - _pieces];
        }

        return n;
    }

    private MergeTable FromScores(PieceTable table)
    {
        int[] byScore = [.. table.Ids.Values.Where(id => table.Pieces[id].Kind == PieceKind.Normal).OrderByDescending(id => table.Pieces[id].Score)];
        MergeTable merges = new(2 * byScore.Length);
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids = table.Ids.GetAlternateLookup<ReadOnlySpan<char>>();
        int rank = -1;
        float score = float.NaN;
        foreach (int id in byScore)
        {
            // Pieces of equal score are equals: the leftmost pair merges first.
            rank += table.Pieces[id].Score.Equals(score) ? 0 : 1;
            score = table.Pieces[id].Score;
            ReadOnlySpan<char> piece = table.Pieces[id].Text;
            for (int cut = 1; cut < piece.Length; cut++)
            {
                if (!char.IsLowSurrogate(piece[cut]) && Part(piece[..cut], ids) is int left && Part(piece[cut..], ids) is int right)
                {
                    merges.TryAdd(left, right, rank, id);
                }
            }
        }

        return merges;
    }

    private int? Part(ReadOnlySpan<char> text, Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids)
    {
        if (ids.TryGetValue(text, out int id))
        {
            return id;
        }

        if (SingleRune(text) is not int rune)
        {
            return null;
        }

        if (!_symbols.TryGetValue(rune, out int symbol))
        {
            _symbols.Add(rune, symbol = _pieces + _loose.Count);
            _loose.Add(rune);
        }

        return symbol;
    }

    private static MergeTable FromList(PieceTable table, SentencePieceOptions options)
    {
        MergeTable merges = new(options.Merges!.Count);
        for (int rank = 0; rank < options.Merges.Count; rank++)
        {
            (int left, int right) = options.Merges[rank];
            string joined = table.Pieces[left].Text + table.Pieces[right].Text;
            if (!table.Ids.TryGetValue(joined, out int merged))
            {
                throw new InvalidDataException($"{options.Source}: merge {rank + 1} makes {Checkpoints.CheckpointException.Quote(joined)}, which is not in the vocabulary.");
            }

            if (!merges.TryAdd(left, right, rank, merged))
            {
                throw new InvalidDataException($"{options.Source}: merge {rank + 1} ({Checkpoints.CheckpointException.Quote(joined)}) joins two tokens that an earlier merge joins already.");
            }
        }

        return merges;
    }

    private static int? SingleRune(ReadOnlySpan<char> text) =>
        text.Length is 1 or 2 && Rune.DecodeFromUtf16(text, out Rune rune, out int units) == System.Buffers.OperationStatus.Done && units == text.Length
            ? rune.Value : null;
}
