using System.Text.Encodings.Web;
using System.Text.Json;

namespace ElderManaged.WeightsBuilder.World;

/// <summary>Reads and writes the world and the tasks.</summary>
public static class WorldFiles
{
    private static readonly JsonSerializerOptions Compact = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    private static readonly JsonSerializerOptions Indented = new(Compact) { WriteIndented = true, NewLine = "\n" };

    /// <summary>Writes <c>relations.json</c> and <c>facts.jsonl</c> into a folder.</summary>
    public static void Save(SyntheticWorld world, string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "relations.json"), JsonSerializer.Serialize(world.Relations, Indented) + "\n");
        SaveLines(Path.Combine(folder, "facts.jsonl"), world.Facts);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    public static SyntheticWorld Load(string folder)
    {
        FactWorld world = FactWorld.Load(folder);
        return new SyntheticWorld(world.Relations, world.Facts);
    }

    /// <summary>Writes one JSON object a line.</summary>
    public static void SaveLines<T>(string path, IEnumerable<T> items)
    {
        if (Path.GetDirectoryName(path) is { Length: > 0 } folder)
        {
            Directory.CreateDirectory(folder);
        }

        File.WriteAllText(path, string.Concat(items.Select(item => JsonSerializer.Serialize(item, Compact) + "\n")));
    }

    /// <summary>Reads one JSON object a line.</summary>
    public static T[] LoadLines<T>(string path)
    {
        List<T> items = [];
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            try
            {
                items.Add(JsonSerializer.Deserialize<T>(line, Compact)!);
            }
            catch (JsonException e)
            {
                throw new InvalidDataException($"{path}, line {number}: this is no {typeof(T).Name}: {e.Message}", e);
            }
        }

        return [.. items];
    }
}
