using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ElderManaged.Models.Tokenizers;

/// <summary>Reads and writes GPT-2's tokenizer files.</summary>
internal static class BpeFiles
{
    private const string VocabularyFile = "vocab.json";
    private const string MergesFile = "merges.txt";
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    public static ByteLevelBpe Load(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        string[] spellings = ReadVocabulary(Existing(folder, VocabularyFile));
        List<(string, string)> merges = ReadMerges(Existing(folder, MergesFile));
        try
        {
            return new ByteLevelBpe(spellings, merges);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{VocabularyFile} and {MergesFile} in {folder} do not make a tokenizer: {Short(e.Message)}", e);
        }
    }

    public static void Save(ByteLevelBpe tokenizer, string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        Directory.CreateDirectory(folder);
        WriteJson(Path.Combine(folder, VocabularyFile), indented: false, writer =>
        {
            for (int id = 0; id < tokenizer.VocabularySize; id++)
            {
                writer.WriteNumber(tokenizer.Spellings[id], id);
            }
        });
        StringBuilder merges = new("#version: 0.2\n");
        foreach ((int left, int right) in tokenizer.Merges)
        {
            merges.Append(tokenizer.Spellings[left]).Append(' ').Append(tokenizer.Spellings[right]).Append('\n');
        }

        File.WriteAllText(Path.Combine(folder, MergesFile), merges.ToString(), Utf8);
        WriteJson(Path.Combine(folder, "tokenizer_config.json"), indented: true, writer =>
        {
            writer.WriteString("tokenizer_class", "GPT2Tokenizer");
            writer.WriteBoolean("add_prefix_space", false);
            foreach (string role in (ReadOnlySpan<string>)["bos_token", "eos_token", "unk_token"])
            {
                writer.WriteString(role, ByteLevelBpe.EndOfText);
            }
        });
    }

    private static string Existing(string folder, string file)
    {
        string path = Path.Combine(folder, file);
        return File.Exists(path)
            ? path
            : throw new FileNotFoundException($"A GPT-2 tokenizer needs {VocabularyFile} and {MergesFile}; {path} does not exist.", path);
    }

    private static string[] ReadVocabulary(string path)
    {
        List<(string Spelling, int Id)> entries = [];
        Utf8JsonReader reader = new(WithoutByteOrderMark(File.ReadAllBytes(path)));
        try
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw new InvalidDataException($"{path} must be one JSON object of tokens and their ids, but begins with {reader.TokenType}.");
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string spelling = reader.GetString()!;
                reader.Read();
                entries.Add(reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out int id)
                    ? (spelling, id)
                    : throw new InvalidDataException($"{path}: the token '{Short(spelling)}' must have a whole number as its id."));
            }
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}, line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}: this is not valid JSON.", e);
        }
        catch (InvalidOperationException e)
        {
            // GetString on bytes that are no UTF-8, or on an escaped half of a surrogate pair.
            throw new InvalidDataException($"{path} has a text that is not valid Unicode.", e);
        }

        string?[] spellings = new string?[entries.Count];
        foreach ((string spelling, int id) in entries)
        {
            if ((uint)id >= (uint)spellings.Length)
            {
                throw new InvalidDataException($"{path}: the token '{Short(spelling)}' has id {id}, but {spellings.Length} tokens must have the ids 0 to {spellings.Length - 1}.");
            }

            if (spellings[id] is string other)
            {
                throw new InvalidDataException($"{path}: the tokens '{Short(other)}' and '{Short(spelling)}' both have id {id}.");
            }

            spellings[id] = spelling;
        }

        return spellings!;
    }

    private static List<(string Left, string Right)> ReadMerges(string path)
    {
        List<(string, string)> merges = [];
        int number = 0;
        foreach (string line in File.ReadLines(path, Utf8))
        {
            number++;
            // Only the first line is a comment: "# #" further on merges two number signs.
            if (line.Length == 0 || (number == 1 && line.StartsWith("#version", StringComparison.Ordinal)))
            {
                continue;
            }

            int space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space <= 0 || space == line.Length - 1 || line.IndexOf(' ', space + 1) >= 0)
            {
                throw new InvalidDataException($"{path}, line {number}: a merge is two tokens with one space between, but this is '{Short(line)}'.");
            }

            merges.Add((line[..space], line[(space + 1)..]));
        }

        return merges;
    }

    private static ReadOnlySpan<byte> WithoutByteOrderMark(byte[] bytes) =>
        bytes.AsSpan().StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? bytes.AsSpan(3) : bytes;

    private static void WriteJson(string path, bool indented, Action<Utf8JsonWriter> members)
    {
        using FileStream file = File.Create(path);
        using Utf8JsonWriter writer = new(file, new JsonWriterOptions { Indented = indented, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        writer.WriteStartObject();
        members(writer);
        writer.WriteEndObject();
    }

    /// <summary>What an untrusted file says, cut to what a message can show.</summary>
    private static string Short(string text) => text.Length <= 300 ? text : string.Concat(text.AsSpan(0, 300), "…");
}
