using System.Globalization;
using ElderManaged.Models.Weights;

namespace ElderManaged.Models.Checkpoints;

/// <summary>Writes a model of any format as a Hugging Face folder.</summary>
public static class CheckpointConverter
{
    /// <summary>
    /// Writes <c>config.json</c> and <c>model.safetensors</c>, tensor by tensor: never more than one of them is in memory.
    /// </summary>
    /// <param name="source">The model.</param>
    /// <param name="folder">Created if missing.</param>
    /// <param name="type">F32, F16 or BF16; null keeps F16 and BF16 tensors as they are and widens all others to F32.</param>
    /// <param name="progress">Told the elements written so far.</param>
    /// <param name="cancellationToken">Stops; the folder then has no weights.</param>
    /// <exception cref="CheckpointException">The source is damaged, or a number is too large for the type.</exception>
    public static void Convert(
        Checkpoint source, string folder, StoredType? type = null, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (Path.Exists(folder) && source.Files.Any(file => Path.GetDirectoryName(Path.GetFullPath(file)) == Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))))
        {
            throw new CheckpointException($"{folder} is where the model is read from; name another folder.");
        }

        Directory.CreateDirectory(folder);
        var writer = new SafetensorsWriter();
        writer.AddMetadata("format", "pt");
        long written = 0;
        foreach (TensorEntry entry in source.Entries.Values)
        {
            StoredType target = type ?? (entry.StoredType is StoredType.F16 or StoredType.BF16 ? entry.StoredType : StoredType.F32);
            bool turned = TurnsAround(source, entry);
            long[] shape = turned ? [entry.Shape[1], entry.Shape[0]] : entry.Shape;
            float[] values = [];
            writer.Add(
                entry.Name, shape, (start, destination) =>
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    values = start == 0 ? Read(source, entry, turned) : values;
                    values.AsSpan((int)start, destination.Length).CopyTo(destination);
                    values = start + destination.Length == values.Length ? [] : values;
                    progress?.Report(written += destination.Length);
                },
                target);
        }

        writer.Save(Path.Combine(folder, "model.safetensors"));
        source.Config.Save(Path.Combine(folder, CheckpointFolder.ConfigFile));
    }

    /// <summary>Whether a matrix lies as [out, in] where Hugging Face's GPT-2 has [in, out].</summary>
    private static bool TurnsAround(Checkpoint source, TensorEntry entry) =>
        !source.KeepsConv1D && source.Config is Gpt2.Gpt2Config && entry.Shape.Length == 2 && entry.Name.Contains(".c_", StringComparison.Ordinal);

    private static float[] Read(Checkpoint source, TensorEntry entry, bool turned)
    {
        source.Find(entry.Name, entry.Shape);
        float[] values = new float[entry.ElementCount];
        source.Read(entry.Name, entry.Shape, values);
        int bad = values.AsSpan().IndexOfAnyExceptInRange(float.MinValue, float.MaxValue);
        return bad >= 0
            ? throw new CheckpointException($"{source.Path}: the tensor {entry.Name} holds {values[bad].ToString(CultureInfo.InvariantCulture)} at element {bad}; the file is damaged.")
            : turned ? WeightSource.Transpose(values, (int)entry.Shape[0], (int)entry.Shape[1]) : values;
    }
}
