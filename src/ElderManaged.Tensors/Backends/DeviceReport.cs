namespace ElderManaged.Tensors;

/// <summary>What is known of one device that could compute, or of a kind of which none was found: data only, for people and for choosing.</summary>
/// <param name="Kind">What <c>--device</c> calls it: one of <see cref="DeviceKinds"/>.</param>
/// <param name="Name">The name the driver gives, or what was looked for in vain.</param>
/// <param name="Usable">Whether the engine can compute on it.</param>
/// <param name="Refusal">Where it is not usable: one sentence that says why and what to do about it; otherwise null.</param>
/// <param name="MemoryBytes">The memory it computes in; 0 where unknown.</param>
/// <param name="Driver">The driver and its version; empty where there is none.</param>
public sealed record DeviceReport(string Kind, string Name, bool Usable, string? Refusal, long MemoryBytes, string Driver)
{
    /// <summary>The name under which <see cref="Details"/> say whether tensor cores are used, and if not, why.</summary>
    public const string TensorCores = "tensor cores";

    /// <summary>
    /// Where <c>auto</c> passes over a device that could be used: one sentence that says why (an OpenCL driver that computes on
    /// the processor is slower than the engine's own kernels); otherwise null.
    /// </summary>
    public string? NotForAuto { get; init; }

    /// <summary>More that is worth telling, in order: compute units, architecture, features by name.</summary>
    public IReadOnlyList<(string Name, string Value)> Details { get; init; } = [];
}
