using System.Buffers;
using System.Text;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// The unigram model: of all cuts into pieces the one with the highest sum of log probabilities, found from left to right
/// (Viterbi). A character that begins no piece counts ten less than the least probable piece.
/// </summary>
/// <remarks>Taku Kudo, Subword Regularization, ACL 2018, https://arxiv.org/abs/1804.10959v1.</remarks>
internal sealed class UnigramSearch : IPieceSearch
{
    private const float UnknownPenalty = 10;

    private readonly PieceTable _table;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids;
    private readonly int _longest;
    private readonly float _unknownScore;

    public UnigramSearch(PieceTable table)
    {
        _table = table;
        _ids = table.Ids.GetAlternateLookup<ReadOnlySpan<char>>();
        _longest = table.Ids.Keys.Max(piece => (int?)piece.Length) ?? 0;
        _unknownScore = table.Ids.Values.Min(id => (float?)table.Pieces[id].Score).GetValueOrDefault() - UnknownPenalty;
    }

    public int Find(ReadOnlySpan<char> text, Span<int> symbols)
    {
        int n = text.Length;
        float[] best = ArrayPool<float>.Shared.Rent(n + 1);
        int[] rented = ArrayPool<int>.Shared.Rent(2 * (n + 1));
        Span<int> starts = rented.AsSpan(0, n + 1), pieces = rented.AsSpan(n + 1, n + 1);
        starts.Fill(-1);
        best[0] = 0;
        for (int at = 0, units; at < n; at += units)
        {
            Rune.DecodeFromUtf16(text[at..], out Rune rune, out units);
            bool whole = false; // whether the character itself is a piece
            for (int length = 1; length <= Math.Min(_longest, n - at); length++)
            {
                if (_ids.TryGetValue(text.Slice(at, length), out int id))
                {
                    Offer(best, starts, pieces, at, at + length, id, _table.Pieces[id].Score);
                    whole |= length == units;
                }
            }

            if (!whole)
            {
                Offer(best, starts, pieces, at, at + units, ~rune.Value, _unknownScore);
            }
        }

        int count = 0;
        for (int end = n; end > 0; end = starts[end])
        {
            symbols[count++] = pieces[end];
        }

        symbols[..count].Reverse();
        ArrayPool<float>.Shared.Return(best);
        ArrayPool<int>.Shared.Return(rented);
        return count;
    }

    private static void Offer(float[] best, Span<int> starts, Span<int> pieces, int start, int end, int symbol, float score)
    {
        float sum = best[start] + score;
        if (starts[end] < 0 || sum > best[end])
        {
            (best[end], starts[end], pieces[end]) = (sum, start, symbol);
        }
    }
}
