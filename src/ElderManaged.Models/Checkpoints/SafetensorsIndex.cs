using System.Text.Json;

namespace ElderManaged.Models.Checkpoints;

/// <summary>Reads <c>model.safetensors.index.json</c>: which file holds each tensor of a model in several files.</summary>
/// <remarks>Read token by token: a document tree of a hostile file would take many times the file's size.</remarks>
internal static class SafetensorsIndex
{
    private const long LongestFile = 64 << 20;
    private const int MostFiles = 10_000;

    public static List<KeyValuePair<string, string>> Read(ByteSource source)
    {
        if (source.Length > LongestFile)
        {
            throw new CheckpointException($"{source.Name} has {source.Length} bytes; more than {LongestFile} are refused for an index.");
        }

        byte[] bytes = new byte[source.Length];
        source.Read(bytes, 0);
        try
        {
            return Parse(bytes, source.Name);
        }
        catch (JsonException exception)
        {
            throw new CheckpointException($"{source.Name} is not valid JSON (line {exception.LineNumber + 1}).", exception);
        }
        catch (InvalidOperationException exception)
        {
            // GetString on bytes that are no UTF-8, or on an escaped half of a surrogate pair.
            throw new CheckpointException($"{source.Name} has a text that is not valid Unicode.", exception);
        }
    }

    private static List<KeyValuePair<string, string>> Parse(byte[] bytes, string file)
    {
        var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = 32 });
        reader.Read();
        List<KeyValuePair<string, string>>? map = null;
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool wanted = reader.ValueTextEquals("weight_map"u8);
                reader.Read();
                if (!wanted || reader.TokenType != JsonTokenType.StartObject)
                {
                    reader.Skip();
                    continue;
                }

                map = map is null ? ParseMap(ref reader, file) : throw new CheckpointException($"{file} has weight_map twice.");
            }
        }

        // What is left must be JSON too, and after the value only white space may follow.
        while (reader.Read())
        {
        }

        return map ?? throw new CheckpointException($"{file} has no object weight_map that says which file holds each tensor.");
    }

    private static List<KeyValuePair<string, string>> ParseMap(ref Utf8JsonReader reader, string file)
    {
        List<KeyValuePair<string, string>> map = [];
        HashSet<string> shards = new(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                throw new CheckpointException($"{file}: weight_map names no file for {CheckpointException.Quote(name)}.");
            }

            string shard = reader.GetString()!;
            CheckShardName(file, shard);
            shards.Add(shard);
            if (map.Count == SafetensorsHeader.MostTensors || shards.Count > MostFiles)
            {
                throw new CheckpointException($"{file} lists more than {SafetensorsHeader.MostTensors} tensors or {MostFiles} files.");
            }

            map.Add(new(name, shard));
        }

        return map;
    }

    /// <summary>A shard is a plain file name: an index from a stranger must not reach outside its folder.</summary>
    private static void CheckShardName(string index, string shard)
    {
        bool plain = shard.EndsWith(".safetensors", StringComparison.Ordinal) && shard.IndexOfAny(['/', '\\', ':', '\0']) < 0;
        if (!plain)
        {
            throw new CheckpointException($"{index}: weight_map names {CheckpointException.Quote(shard)}; only plain names of .safetensors files in the same folder are accepted.");
        }
    }
}
