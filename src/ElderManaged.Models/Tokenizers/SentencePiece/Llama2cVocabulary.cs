using System.Buffers.Binary;
using System.Text;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// Reads the <c>tokenizer.bin</c> of karpathy's llama2.c: the length of the longest token, then for each token its score
/// (float32), its length (int32) and its bytes, with spaces for "▁". Kinds are not in the file; the order is that of
/// LLaMA: unknown, begin, end, the 256 bytes, the pieces. No space is removed from text.
/// </summary>
internal static class Llama2cVocabulary
{
    private const int FirstByte = 3, FirstPiece = FirstByte + 256;
    private const long LongestFile = 64L << 20;

    public static SentencePieceTokenizer Load(string path)
    {
        ReadOnlySpan<byte> content = TokenizerFiles.ReadAll(path, LongestFile);
        int at = 0;
        int longest = Integer(content, ref at, path);
        List<Piece> pieces = [];
        while (at < content.Length)
        {
            int id = pieces.Count;
            float score = BitConverter.Int32BitsToSingle(Integer(content, ref at, path));
            int length = Integer(content, ref at, path);
            if (length < 0 || length > longest || length > content.Length - at)
            {
                throw new InvalidDataException($"{path}, byte {at}: token {id} says it has {length} bytes, but the longest has {longest} and {content.Length - at} are left; is this a tokenizer of llama2.c, completely copied?");
            }

            pieces.Add(Read(id, content.Slice(at, length), score, path));
            at += length;
        }

        if (pieces.Count <= FirstPiece)
        {
            throw new InvalidDataException($"{path} has {pieces.Count} tokens; a tokenizer of llama2.c has three special ones, 256 bytes, and pieces.");
        }

        return new SentencePieceTokenizer(new SentencePieceOptions
        {
            Source = path, Pieces = [.. pieces], ByteFallback = true, BeginOfTextId = 1, EndOfTextId = 2, Prefix = [1],
        });
    }

    // The file writes "\n<s>\n" for "<s>", and the bytes that are characters as themselves.
    private static Piece Read(int id, ReadOnlySpan<byte> bytes, float score, string path)
    {
        if (id is >= FirstByte and < FirstPiece)
        {
            return new Piece($"<0x{id - FirstByte:X2}>", score, PieceKind.Byte);
        }

        try
        {
            string text = Utf8.GetString(bytes);
            return id switch
            {
                0 => new Piece("<unk>", score, PieceKind.Unknown),
                1 or 2 => new Piece(text.Trim(), score, PieceKind.Control),
                _ => new Piece(text.Replace(' ', PieceTable.Space), score, PieceKind.Normal),
            };
        }
        catch (ArgumentException exception)
        {
            throw new InvalidDataException($"{path}: token {id} is no valid UTF-8.", exception);
        }
    }

    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    private static int Integer(ReadOnlySpan<byte> content, ref int at, string path)
    {
        if (content.Length - at < 4)
        {
            throw new InvalidDataException($"{path} ends after {content.Length} bytes in the middle of a token; is it completely copied?");
        }

        at += 4;
        return BinaryPrimitives.ReadInt32LittleEndian(content[(at - 4)..]);
    }
}
