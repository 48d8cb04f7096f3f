using ElderManaged.Tensors;

namespace ElderManaged.Models;

/// <summary>How a frozen model is loaded.</summary>
public sealed record LoadOptions
{
    /// <summary>Matrices as they are stored, no progress.</summary>
    public static LoadOptions Default { get; } = new();

    /// <summary>
    /// The format that matrices are kept in; null keeps them as they are stored, which gives the same bits as their
    /// dequantized numbers would. Rounding to fewer bits saves memory and time and changes the results; a matrix whose rows
    /// do not fill whole blocks stays as it is stored.
    /// </summary>
    public StoredNumbers? Weights { get; init; }

    /// <summary>Where the model computes; see <see cref="TransformerModel.MoveTo"/>.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>Told the bytes of weights read so far; compare with the sum of <c>Checkpoint.Entries</c>.</summary>
    public IProgress<long>? Progress { get; init; }

    /// <summary>Stops loading between two pieces.</summary>
    public CancellationToken Cancellation { get; init; }
}
