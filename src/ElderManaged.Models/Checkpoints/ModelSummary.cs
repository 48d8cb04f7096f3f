using ElderManaged.Models.Weights;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Checkpoints;

/// <summary>What a checkpoint holds and what loading it will take; from headers alone, without reading weights.</summary>
/// <param name="Format">The file format.</param>
/// <param name="Config">Sizes and constants.</param>
/// <param name="Parameters">The number of parameters; a tied output layer is counted once.</param>
/// <param name="Tensors">The number of tensors.</param>
/// <param name="FileBytes">The bytes of all weight files.</param>
/// <param name="Types">Every number format in use, with its tensors, parameters and bytes, the largest first.</param>
/// <param name="WeightBytes">Memory for the loaded weights, about: in the stored formats, norms and biases in float32.</param>
/// <param name="CacheBytesPerToken">Memory of the key/value cache for one token of one sequence.</param>
public sealed record ModelSummary(
    string Format, ModelConfig Config, long Parameters, int Tensors, long FileBytes, IReadOnlyList<TypeUse> Types, long WeightBytes, long CacheBytesPerToken)
{
    /// <summary>Summarises an open checkpoint.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="options">How it would be loaded; null for as it is stored.</param>
    public static ModelSummary Of(Checkpoint checkpoint, LoadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ModelConfig config = checkpoint.Config;
        TypeUse[] types = [.. checkpoint.Entries.Values
            .GroupBy(entry => entry.StoredType)
            .Select(group => new TypeUse(group.Key, group.Count(), group.Sum(entry => entry.ElementCount), group.Sum(entry => entry.ByteCount)))
            .OrderByDescending(use => use.Bytes).ThenBy(use => use.Type)];
        int keyValueWidth = (config is Llama.LlamaConfig llama ? llama.KeyValueHeadCount : config.HeadCount) * config.HeadSize;
        return new ModelSummary(
            checkpoint.Format, config, types.Sum(use => use.Parameters), checkpoint.Entries.Count, checkpoint.Files.Sum(file => File.Exists(file) ? new FileInfo(file).Length : 0),
            types, checkpoint.Entries.Values.Sum(entry => Memory(checkpoint, entry, options ?? LoadOptions.Default)),
            2L * sizeof(float) * keyValueWidth * config.LayerCount);
    }

    private static long Memory(Checkpoint checkpoint, TensorEntry entry, LoadOptions options)
    {
        if (entry.Shape.Length != 2)
        {
            return entry.ElementCount * sizeof(float);
        }

        bool conv1D = checkpoint.KeepsConv1D && checkpoint.Config is Gpt2.Gpt2Config && entry.Name.Contains(".c_", StringComparison.Ordinal);
        long width = conv1D ? entry.Shape[0] : entry.Shape[1];
        StoredNumbers numbers = width <= int.MaxValue ? FrozenWeights.NumbersFor(entry, (int)width, options) : StoredNumbers.Float32;
        return entry.ElementCount / numbers.BlockLength() * numbers.BlockBytes();
    }
}

/// <summary>How much of a model is in one number format.</summary>
/// <param name="Type">The format.</param>
/// <param name="Tensors">Tensors in it.</param>
/// <param name="Parameters">Their elements.</param>
/// <param name="Bytes">Their bytes in the file.</param>
public sealed record TypeUse(StoredType Type, int Tensors, long Parameters, long Bytes);
