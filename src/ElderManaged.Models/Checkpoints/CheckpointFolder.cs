using System.Text.Json;

namespace ElderManaged.Models.Checkpoints;

/// <summary>
/// A model folder in the layout of Hugging Face: <c>config.json</c> and either <c>model.safetensors</c> or several files
/// listed in <c>model.safetensors.index.json</c>. Tensors are read by name, whichever file holds them.
/// </summary>
/// <remarks>Reading from several threads at once is safe.</remarks>
public sealed class CheckpointFolder : IDisposable
{
    private const string SingleFile = "model.safetensors";
    private const string IndexFile = "model.safetensors.index.json";
    private const long LongestIndex = 100_000_000;
    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, SafetensorsFile> _fileOf = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorEntry> _entries = new(StringComparer.Ordinal);

    private CheckpointFolder(string path, ModelConfig config)
    {
        Path = path;
        Config = config;
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>What <c>config.json</c> says.</summary>
    public ModelConfig Config { get; }

    /// <summary>All tensors of all files by name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Entries => _entries;

    /// <summary>Opens the folder, reads the configuration and checks the headers of all weight files.</summary>
    /// <param name="path">The folder.</param>
    /// <exception cref="CheckpointException">A file is missing, damaged, or says something unsupported.</exception>
    public static CheckpointFolder Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!Directory.Exists(path))
        {
            throw new CheckpointException($"There is no folder {path}.");
        }

        var folder = new CheckpointFolder(path, ModelConfig.Load(System.IO.Path.Combine(path, "config.json")));
        try
        {
            folder.OpenFiles();
            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Whether a tensor of that name exists.</summary>
    /// <param name="name">The tensor's name.</param>
    public bool Contains(string name) => _entries.ContainsKey(name);

    /// <summary>Reads a floating-point tensor as float32 and checks its shape.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="expectedShape">The shape the model needs.</param>
    /// <param name="destination">As many elements as the shape has.</param>
    /// <exception cref="CheckpointException">No such tensor (the message lists the nearest names), another shape, or not floating-point.</exception>
    public void Read(string name, ReadOnlySpan<long> expectedShape, Span<float> destination)
    {
        if (!_entries.TryGetValue(name, out TensorEntry? entry))
        {
            throw new CheckpointException($"{Path} has no tensor {CheckpointException.Quote(name)} (expected shape {CheckpointException.Describe(expectedShape)}){NearestNames.Suggest(name, _entries.Keys)}.");
        }

        if (!expectedShape.SequenceEqual(entry.Shape))
        {
            throw new CheckpointException($"{_fileOf[name].Path}: tensor {CheckpointException.Quote(name)} has the shape {CheckpointException.Describe(entry.Shape)}, expected {CheckpointException.Describe(expectedShape)}; do config.json and the weights belong together?");
        }

        _fileOf[name].ReadFloat32(name, destination);
    }

    /// <summary>Closes all files.</summary>
    public void Dispose()
    {
        foreach (SafetensorsFile file in _files)
        {
            file.Dispose();
        }
    }

    private void OpenFiles()
    {
        string single = System.IO.Path.Combine(Path, SingleFile);
        string index = System.IO.Path.Combine(Path, IndexFile);
        if (File.Exists(single))
        {
            SafetensorsFile file = Track(SafetensorsFile.Open(single));
            foreach (TensorEntry entry in file.Entries.Values)
            {
                Register(entry.Name, entry, file);
            }
        }
        else if (File.Exists(index))
        {
            OpenShards(index);
        }
        else
        {
            throw new CheckpointException($"{Path} has neither {SingleFile} nor {IndexFile}; weights in other formats must be converted first.");
        }
    }

    private void OpenShards(string index)
    {
        using JsonDocument document = ConfigReader.ReadDocument(index, LongestIndex);
        if (document.RootElement.ValueKind != JsonValueKind.Object
            || !document.RootElement.TryGetProperty("weight_map", out JsonElement map)
            || map.ValueKind != JsonValueKind.Object)
        {
            throw new CheckpointException($"{index} has no object weight_map that says which file holds each tensor.");
        }

        var shards = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        foreach (JsonProperty property in map.EnumerateObject())
        {
            (string name, string shard) = Texts(index, property);
            CheckShardName(index, shard);
            if (!shards.TryGetValue(shard, out SafetensorsFile? file))
            {
                file = Track(SafetensorsFile.Open(System.IO.Path.Combine(Path, shard)));
                shards.Add(shard, file);
            }

            if (!file.Entries.TryGetValue(name, out TensorEntry? entry))
            {
                throw new CheckpointException($"{index} says that {shard} holds the tensor {CheckpointException.Quote(name)}, but it does not.");
            }

            Register(name, entry, file);
        }
    }

    private static (string Name, string Shard) Texts(string index, JsonProperty property)
    {
        try
        {
            return property.Value.ValueKind == JsonValueKind.String
                ? (property.Name, property.Value.GetString()!)
                : throw new CheckpointException($"{index}: weight_map names no file for {CheckpointException.Quote(property.Name)}.");
        }
        catch (InvalidOperationException exception)
        {
            throw new CheckpointException($"{index}: weight_map has a text that is not valid Unicode.", exception);
        }
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

    private SafetensorsFile Track(SafetensorsFile file)
    {
        _files.Add(file);
        return file;
    }

    private void Register(string name, TensorEntry entry, SafetensorsFile file)
    {
        if (!_entries.TryAdd(name, entry))
        {
            throw new CheckpointException($"{Path}: weight_map names the tensor {CheckpointException.Quote(name)} twice.");
        }

        _fileOf[name] = file;
    }
}
