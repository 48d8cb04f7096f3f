namespace ElderManaged.Models.Tokenizers;

/// <summary>What a piece of a SentencePiece vocabulary is; the numbers are those of its files and of GGUF.</summary>
internal enum PieceKind
{
    /// <summary>A piece of text.</summary>
    Normal = 1,

    /// <summary>Stands for what cannot be encoded.</summary>
    Unknown = 2,

    /// <summary>Means something to the model and is never text: begin, end.</summary>
    Control = 3,

    /// <summary>Text that is always one token where it is written.</summary>
    UserDefined = 4,

    /// <summary>Taken out of use after training.</summary>
    Unused = 5,

    /// <summary>A byte of a character that is no piece, written <c>&lt;0x0A&gt;</c>.</summary>
    Byte = 6,
}

/// <summary>One entry of the vocabulary.</summary>
/// <param name="Text">The piece, with "▁" for a space.</param>
/// <param name="Score">The higher, the earlier it is merged.</param>
/// <param name="Kind">What it is.</param>
internal readonly record struct Piece(string Text, float Score, PieceKind Kind);
