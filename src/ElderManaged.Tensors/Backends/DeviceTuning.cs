namespace ElderManaged.Tensors;

/// <summary>
/// Block sizes of the products' kernels, chosen for a GPU by a short measurement (at most about two seconds) when a product of
/// some size is first computed there, and kept in <c>gpu-tuning.json</c> in <see cref="Storage.ElderHome"/>. Results do not
/// depend on the choice, to the bit.
/// </summary>
public static class DeviceTuning
{
    /// <summary>The environment variable that turns it off, where it says <c>off</c>: sizes are then counted, not measured.</summary>
    public const string Variable = "ELDER_TUNE";

    /// <summary>Whether <see cref="Variable"/> allows it.</summary>
    public static bool IsOn => !string.Equals(Environment.GetEnvironmentVariable(Variable)?.Trim(), "off", StringComparison.OrdinalIgnoreCase);

    /// <summary>From now on, measures on this device whatever is first computed, also what was kept; and also where it is off.</summary>
    /// <param name="device">A GPU, or what an OpenCL driver takes for one.</param>
    /// <param name="say">Is told when the file of choices cannot be read or written.</param>
    /// <exception cref="ArgumentException">It is the processor.</exception>
    public static void Restart(Device device, Action<string>? say = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (!GpuFeature.IsSupported || device is not GpuDevice gpu)
        {
            throw new ArgumentException($"DeviceTuning: {device} is not a GPU.", nameof(device));
        }

        gpu.Tuner = GpuDevices.TunerFor(gpu.Report, anew: true, say);
    }

    /// <summary>What was chosen on this device so far: the operands, the upper ends of the class of sizes, and the tile.</summary>
    /// <param name="device">Any device.</param>
    public static IReadOnlyList<DeviceTuningChoice> Choices(Device device) =>
        GpuFeature.IsSupported && device is GpuDevice { Tuner: { } tuner }
            ? [.. tuner.Chosen.Select(choice => new DeviceTuningChoice(
                choice.Key.Subject, 1 << choice.Key.Rows, 1 << choice.Key.Columns, 1 << choice.Key.Depth, GemmTileSize.Names[choice.Value])).OrderBy(choice => choice.ToString(), StringComparer.Ordinal)]
            : [];
}

/// <summary>One choice of a tile.</summary>
/// <param name="Operands">How B is stored, and whether A and B are read as they lie (n) or transposed (t).</param>
/// <param name="Rows">Products of up to so many rows, and more than half of it.</param>
/// <param name="Columns">Of up to so many columns.</param>
/// <param name="Depth">Of sums of up to so many products.</param>
/// <param name="Tile">Rows and columns of a group of threads.</param>
public sealed record DeviceTuningChoice(string Operands, int Rows, int Columns, int Depth, string Tile);
