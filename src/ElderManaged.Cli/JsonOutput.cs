using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ElderManaged.Cli;

/// <summary>One JSON object on one line, as the commands print it.</summary>
internal static class JsonOutput
{
    public static string Write(Action<Utf8JsonWriter> members)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter json = new(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}
