namespace ElderManaged.Models.Checkpoints;

/// <summary>
/// A model folder in the layout of Hugging Face: <c>config.json</c> and either <c>model.safetensors</c> or several files
/// listed in <c>model.safetensors.index.json</c>. Tensors are read by name, whichever file holds them.
/// </summary>
/// <remarks>Reading from several threads at once is safe.</remarks>
public sealed class CheckpointFolder : Checkpoint
{
    /// <summary>The configuration's file name.</summary>
    internal const string ConfigFile = "config.json";

    private const string SingleFile = "model.safetensors";
    private const string IndexFile = "model.safetensors.index.json";
    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, SafetensorsFile> _fileOf = new(StringComparer.Ordinal);

    private CheckpointFolder(string path, ModelConfig config)
        : base(path, config)
    {
    }

    /// <inheritdoc/>
    public override string Format => _files.Count > 1 ? $"safetensors in {_files.Count} files" : "safetensors";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Files => [.. _files.Select(file => file.Path), System.IO.Path.Combine(Path, ConfigFile)];

    internal override bool Waits => _files.Exists(file => file.Waits);

    /// <summary>Opens the folder, reads the configuration and checks the headers of all weight files.</summary>
    /// <param name="path">The folder.</param>
    /// <exception cref="CheckpointException">A file is missing, damaged, or says something unsupported.</exception>
    public static new CheckpointFolder Open(string path) => Open(path, weights: null);

    /// <summary>Opens a folder whose weights are in a file of another name.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="weights">The file's name; null for the usual names.</param>
    internal static CheckpointFolder Open(string path, string? weights)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!Directory.Exists(path))
        {
            throw new CheckpointException($"There is no folder {path}.");
        }

        return Open(path, weights, file =>
        {
            string full = System.IO.Path.Combine(path, file);
            return File.Exists(full) ? ByteSource.OpenFile(full) : null;
        });
    }

    /// <summary>Opens a folder of files that are in memory.</summary>
    internal static CheckpointFolder OfMemory(string name, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files) => Open(
        name, weights: null, file => files.TryGetValue(file, out ReadOnlyMemory<byte> bytes) ? ByteSource.OfMemory(System.IO.Path.Combine(name, file), bytes) : null);

    private static CheckpointFolder Open(string path, string? weights, Func<string, ByteSource?> find)
    {
        ModelConfig config;
        using (ByteSource source = find(ConfigFile) ?? throw new CheckpointException($"{path} has no {ConfigFile}."))
        {
            config = ModelConfig.Load(source);
        }

        var folder = new CheckpointFolder(path, config);
        try
        {
            folder.OpenFiles(weights, find);
            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (SafetensorsFile file in _files)
        {
            file.Dispose();
        }
    }

    private protected override void ReadRows(TensorEntry entry, long firstRow, Span<byte> destination) =>
        _fileOf[entry.Name].ReadBytes(entry, firstRow * entry.StoredType.BytesOf(entry.RowLength), destination);

    private void OpenFiles(string? weights, Func<string, ByteSource?> find)
    {
        if (find(weights ?? SingleFile) is { } single)
        {
            SafetensorsFile file = Track(SafetensorsFile.Open(single));
            foreach (TensorEntry entry in file.Entries.Values)
            {
                Register(entry, file);
            }
        }
        else if (weights is null && find(IndexFile) is { } index)
        {
            OpenShards(index, find);
        }
        else
        {
            throw new CheckpointException($"{Path} has neither {SingleFile} nor {IndexFile}; weights in other formats must be converted first.");
        }
    }

    private void OpenShards(ByteSource index, Func<string, ByteSource?> find)
    {
        List<KeyValuePair<string, string>> map;
        using (index)
        {
            map = SafetensorsIndex.Read(index);
        }

        var shards = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        foreach ((string name, string shard) in map)
        {
            if (!shards.TryGetValue(shard, out SafetensorsFile? file))
            {
                ByteSource source = find(shard) ?? throw new CheckpointException($"{index.Name} names the file {CheckpointException.Quote(shard)}, which is not there.");
                file = Track(SafetensorsFile.Open(source));
                shards.Add(shard, file);
            }

            if (!file.Entries.TryGetValue(name, out TensorEntry? entry))
            {
                throw new CheckpointException($"{index.Name} says that {shard} holds the tensor {CheckpointException.Quote(name)}, but it does not.");
            }

            Register(entry, file);
        }
    }

    private SafetensorsFile Track(SafetensorsFile file)
    {
        _files.Add(file);
        return file;
    }

    private void Register(TensorEntry entry, SafetensorsFile file)
    {
        if (!TryRegister(entry))
        {
            throw new CheckpointException($"{Path}: weight_map names the tensor {CheckpointException.Quote(entry.Name)} twice.");
        }

        _fileOf[entry.Name] = file;
    }
}
