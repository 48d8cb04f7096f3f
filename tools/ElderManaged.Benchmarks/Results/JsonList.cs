using System.Text;
using System.Text.Json;

namespace ElderManaged.Benchmarks.Results;

/// <summary>Results for programs: a list of <c>{"name","threads","ours","peer","unit","ratio"}</c>.</summary>
internal static class JsonList
{
    public static string Write(IEnumerable<Measurement> lines)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartArray();
            foreach (Measurement line in lines)
            {
                json.WriteStartObject();
                json.WriteString("name", line.Name);
                json.WriteNumber("threads", line.Threads);
                Write(json, "ours", line.Ours);
                Write(json, "peer", line.Peer);
                json.WriteString("unit", line.Unit);
                Write(json, "ratio", line.Ratio);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    /// <summary>The numbers of a list, for results of another process. Bars and kinds are not in it.</summary>
    public static List<Measurement> Read(string text)
    {
        using JsonDocument json = JsonDocument.Parse(text);
        return
        [
            .. json.RootElement.EnumerateArray().Select(line => new Measurement(
                line.GetProperty("name").GetString()!,
                line.GetProperty("threads").GetInt32(),
                line.GetProperty("ours").GetDouble(),
                line.GetProperty("peer").GetDouble(),
                line.GetProperty("unit").GetString()!)),
        ];
    }

    // Six significant digits: more would pretend.
    private static void Write(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value))
        {
            json.WriteNumber(name, double.Parse(value.ToString("G6")));
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
