using System.Text.Json;
using ElderManaged.Models.Tokenizers;

namespace ElderManaged.Models.Tests.Tokenizers;

/// <summary>Texts with the ids that the original tokenizer gave.</summary>
internal static class GoldenTexts
{
    public static IEnumerable<(string Text, int[] Ids, string Decoded)> Read(string path)
    {
        foreach (string line in File.ReadLines(path))
        {
            using JsonDocument row = JsonDocument.Parse(line);
            string text = row.RootElement.GetProperty("text").GetString()!;
            string decoded = row.RootElement.TryGetProperty("decoded", out JsonElement other) ? other.GetString()! : text;
            yield return (text, [.. row.RootElement.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())], decoded);
        }
    }

    /// <summary>Wants equal ids, equal decoded text, also decoded one by one.</summary>
    public static void Equal(ITokenizer tokenizer, string path, int texts, bool special, Func<string, bool>? which = null)
    {
        int n = 0;
        foreach ((string text, int[] ids, string decoded) in Read(path))
        {
            n++;
            if (which is not null && !which(text))
            {
                continue;
            }

            int[] actual = special ? tokenizer.EncodeWithSpecial(text) : tokenizer.Encode(text);
            Assert.True(ids.SequenceEqual(actual), $"Text {n} ({text}): expected {string.Join(' ', ids)}, got {string.Join(' ', actual)}");
            Assert.Equal(decoded, tokenizer.Decode(ids));
            IncrementalDecoder decoder = tokenizer.CreateDecoder();
            Assert.Equal(decoded, string.Concat(ids.Select(decoder.Append)) + decoder.Finish());
        }

        Assert.Equal(texts, n);
    }
}
