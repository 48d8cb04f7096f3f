using System.Globalization;
using System.Text;

namespace ElderManaged.Models.Tokenizers;

/// <summary>The checked vocabulary of a SentencePiece tokenizer.</summary>
internal sealed class PieceTable
{
    /// <summary>How SentencePiece writes a space: U+2581.</summary>
    public const char Space = '▁';

    public PieceTable(SentencePieceOptions options)
    {
        Pieces = options.Pieces;
        Unknown = -1;
        int[] byteIds = new int[256];
        Array.Fill(byteIds, -1);
        byte[][] bytes = new byte[Pieces.Length][];
        bool[] text = new bool[Pieces.Length];
        for (int id = 0; id < Pieces.Length; id++)
        {
            (string piece, float score, PieceKind kind) = Pieces[id];
            string what = $"{options.Source}: token {id} ({Checkpoints.CheckpointException.Quote(piece)})";
            if (!float.IsFinite(score))
            {
                throw new InvalidDataException($"{what} has the score {score}; scores must be finite.");
            }

            switch (kind)
            {
                case PieceKind.Normal or PieceKind.UserDefined:
                    if (!Ids.TryAdd(piece, id))
                    {
                        throw new InvalidDataException($"{what} is also token {Ids[piece]}; pieces must differ.");
                    }

                    text[id] = true;
                    bytes[id] = Encoding.UTF8.GetBytes(piece.Replace(Space, ' '));
                    break;
                case PieceKind.Unknown:
                    Unknown = Unknown < 0 ? id : Unknown;
                    bytes[id] = Encoding.UTF8.GetBytes(options.UnknownText);
                    break;
                case PieceKind.Control:
                    bytes[id] = [];
                    break;
                case PieceKind.Byte:
                    byte value = ByteOf(piece) ?? throw new InvalidDataException($"{what} is marked as a byte, but bytes are written <0x00> to <0xFF>.");
                    byteIds[value] = byteIds[value] < 0 ? id : throw new InvalidDataException($"{what} is also token {byteIds[value]}; bytes must differ.");
                    bytes[id] = [value];
                    break;
                case PieceKind.Unused:
                    throw new InvalidDataException($"{what} is marked as unused; vocabularies restricted after training are not supported.");
                default:
                    throw new InvalidDataException($"{what} is of the unknown kind {(int)kind}; kinds are 1 to 6.");
            }
        }

        Bytes = new TokenBytes(bytes, TokenBytes.OneForEachByte, Leading(options), text);
        ByteIds = options.ByteFallback ? byteIds : null;
        if (options.ByteFallback && Array.IndexOf(byteIds, -1) is >= 0 and int missing)
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"{options.Source} falls back to bytes, but has no token <0x{missing:X2}>."));
        }

        if (!options.ByteFallback && Unknown < 0)
        {
            throw new InvalidDataException($"{options.Source} has neither byte tokens nor an unknown token, so some texts could not be encoded.");
        }

        NoneCrossesASpace = Ids.Keys.All(piece => piece.AsSpan().TrimStart(Space).IndexOf(Space) < 0);
    }

    public Piece[] Pieces { get; }

    /// <summary>Pieces of text and their ids.</summary>
    public Dictionary<string, int> Ids { get; } = new(StringComparer.Ordinal);

    /// <summary>The unknown token, or -1.</summary>
    public int Unknown { get; }

    /// <summary>The tokens of the 256 bytes; null if characters do not fall back to them.</summary>
    public int[]? ByteIds { get; }

    public TokenBytes Bytes { get; }

    /// <summary>Whether no piece has a space behind another character.</summary>
    public bool NoneCrossesASpace { get; }

    /// <summary>The tokens of one kind, as they are found in text.</summary>
    public IEnumerable<AddedToken> Of(PieceKind kind) => Pieces
        .Select((piece, id) => (piece, id)).Where(p => p.piece.Kind == kind)
        .Select(p => new AddedToken(p.piece.Text, p.id, Special: kind == PieceKind.Control))
        .DistinctBy(token => token.Text);

    /// <summary>The byte that <c>&lt;0x0A&gt;</c> stands for; null if it is not of this form.</summary>
    public static byte? ByteOf(string piece) =>
        piece.Length == 6 && piece.StartsWith("<0x", StringComparison.Ordinal) && piece[5] == '>'
        && byte.TryParse(piece.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value) ? value : null;

    private static LeadingSpace Leading(SentencePieceOptions options) =>
        options.RemoveExtraSpaces ? LeadingSpace.AllDropped
        : options.DummySpace != DummySpace.None ? LeadingSpace.OneDropped
        : LeadingSpace.Kept;
}
