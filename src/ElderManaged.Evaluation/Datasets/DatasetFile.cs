using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Unicode;

namespace ElderManaged.Evaluation.Datasets;

/// <summary>A text file in memory, checked to be UTF-8 without NUL, cut into JSON records with their line numbers.</summary>
internal sealed class DatasetFile
{
    private const long Longest = 1L << 30;
    private readonly ReadOnlyMemory<byte> _text;

    private DatasetFile(string path, byte[] bytes)
    {
        Path = path;
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes));
        _text = bytes.AsSpan().StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? bytes.AsMemory(3) : bytes;
    }

    internal string Path { get; }

    /// <summary>Of the file as it is, byte order mark included.</summary>
    internal string Sha256 { get; }

    internal ReadOnlySpan<byte> Text => _text.Span;

    internal static DatasetFile Read(string path)
    {
        byte[] bytes;
        try
        {
            long length = new FileInfo(path).Length;
            if (length > Longest)
            {
                throw new DatasetException(path, null, $"has {length} bytes, more than {Longest} are refused; split the file");
            }

            bytes = File.ReadAllBytes(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DatasetException(path, null, $"cannot be read: {exception.Message.TrimEnd('.')}", exception);
        }

        var file = new DatasetFile(path, bytes);
        file.CheckText();
        return file;
    }

    /// <summary>The first byte that is not white space, or 0 in an empty file.</summary>
    internal byte FirstCharacter()
    {
        int start = Text.IndexOfAnyExcept(" \t\r\n"u8);
        return start < 0 ? (byte)0 : Text[start];
    }

    /// <summary>The records of a JSON array or of JSON Lines. Each document is disposed when the next one is asked for.</summary>
    internal IEnumerable<(int Line, JsonElement Record)> JsonRecords() =>
        FirstCharacter() == (byte)'[' ? ArrayElements() : JsonLines();

    private IEnumerable<(int Line, JsonElement Record)> JsonLines()
    {
        int line = 0;
        for (int start = 0; start < _text.Length;)
        {
            line++;
            int length = _text.Span[start..].IndexOf((byte)'\n');
            ReadOnlyMemory<byte> text = length < 0 ? _text[start..] : _text.Slice(start, length);
            start += text.Length + 1;
            if (text.Span.IndexOfAnyExcept(" \t\r"u8) >= 0)
            {
                using JsonDocument document = Parse(text, line);
                yield return (line, document.RootElement);
            }
        }
    }

    private IEnumerable<(int Line, JsonElement Record)> ArrayElements()
    {
        using JsonDocument document = Parse(_text, 1);
        int line = 1, counted = 0;
        int position = _text.Span.IndexOf((byte)'[') + 1;
        foreach (JsonElement element in document.RootElement.EnumerateArray())
        {
            // The elements lie one after another in the text, so searching on from the last one finds each where it is.
            position = ElementStart(position);
            line += _text.Span[counted..position].Count((byte)'\n');
            counted = position;
            yield return (line, element);
            position += JsonMarshal.GetRawUtf8Value(element).Length;
        }
    }

    private int ElementStart(int position) => position + _text.Span[position..].IndexOfAnyExcept(" \t\r\n,"u8);

    private JsonDocument Parse(ReadOnlyMemory<byte> json, int firstLine)
    {
        try
        {
            return JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 32 });
        }
        catch (JsonException exception)
        {
            // "'x' is an invalid start of a value. LineNumber: 0 | BytePositionInLine: 5.": the position is said better here.
            string detail = exception.Message;
            int cut = detail.IndexOf(" LineNumber:", StringComparison.Ordinal);
            detail = (cut < 0 ? detail : detail[..cut]).TrimEnd('.', ' ');
            throw new DatasetException(Path, firstLine + (int)(exception.LineNumber ?? 0), $"invalid JSON at byte {exception.BytePositionInLine + 1}: {detail}", exception);
        }
    }

    private void CheckText()
    {
        int nul = Text.IndexOf((byte)0);
        bool valid = Utf8.IsValid(Text);
        if (!valid)
        {
            // Validity is decided line by line ('\n' never lies inside a character), so the first bad line can be named.
            int line = 1;
            ReadOnlySpan<byte> rest = Text;
            while (true)
            {
                int end = rest.IndexOf((byte)'\n');
                if (end < 0 || !Utf8.IsValid(rest[..end]))
                {
                    throw new DatasetException(Path, line, "is not UTF-8; save the file in that encoding");
                }

                rest = rest[(end + 1)..];
                line++;
            }
        }

        if (nul >= 0)
        {
            throw new DatasetException(Path, 1 + Text[..nul].Count((byte)'\n'), "contains a NUL character; is it a text file?");
        }

        if (FirstCharacter() == 0)
        {
            throw new DatasetException(Path, null, "is empty");
        }
    }
}
