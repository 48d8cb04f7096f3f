using ElderManaged.Models.Weights;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Models.Checkpoints;

/// <summary>
/// Writes checkpoints of random numbers in the shape of a model, to try a machine and this program on sizes for which no
/// weights are at hand. The same seed gives the same file, whatever the machine.
/// </summary>
public static class RandomCheckpoint
{
    /// <summary>The number of parameters a configuration leads to; a shared output layer is counted once.</summary>
    /// <param name="config">The sizes.</param>
    public static long CountParameters(ModelConfig config) => List(config).Sum(tensor => tensor.Shape.Aggregate(1L, (product, size) => product * size));

    /// <summary>Writes <c>config.json</c> and <c>model.safetensors</c>; memory does not grow with the model.</summary>
    /// <param name="config">The sizes.</param>
    /// <param name="seed">Makes the numbers.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <param name="folder">Created if missing.</param>
    /// <param name="progress">Told the parameters written so far.</param>
    /// <param name="cancellationToken">Stops; the folder then has no weights.</param>
    public static void Write(
        ModelConfig config, ulong seed, StoredType type, string folder, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        Directory.CreateDirectory(folder);
        var writer = new SafetensorsWriter();
        writer.AddMetadata("format", "pt");
        long written = 0;
        ulong number = 0;
        foreach ((string name, long[] shape, Initialization start) in List(config))
        {
            ulong stream = CounterRandom.Stream(seed, ++number);
            writer.Add(
                name, shape, (first, values) =>
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    if (start is Initialization.Normal normal)
                    {
                        CounterRandom.Fill(values, stream, first, normal.Deviation);
                    }
                    else
                    {
                        start.Fill(values, new RandomSource(stream));
                    }

                    progress?.Report(written += values.Length);
                },
                type);
        }

        writer.Save(Path.Combine(folder, "model.safetensors"));
        config.Save(Path.Combine(folder, CheckpointFolder.ConfigFile));
    }

    private static List<(string Name, long[] Shape, Initialization Start)> List(ModelConfig config)
    {
        var listed = new ListedWeights();
        TransformerModel.Create(config, listed);
        return listed.Tensors;
    }
}
