using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

/// <summary>Whether this program can have a GPU path: its kernels are compiled at run time, which a NativeAOT program cannot do.</summary>
public static class GpuFeature
{
    /// <summary>The name of the switch; <c>RuntimeHostConfigurationOption</c> with <c>Trim="true"</c> makes it a constant for the trimmer.</summary>
    public const string Switch = "ElderManaged.Gpu.IsSupported";

    /// <summary>
    /// True where code can be made at run time and <see cref="Switch"/> is not set to false. Every way to the GPU path stands
    /// behind this, so that a trimmed program without the feature leaves it out, and ILGPU with it.
    /// </summary>
    [FeatureSwitchDefinition(Switch)]
    public static bool IsSupported { get; } = RuntimeFeature.IsDynamicCodeSupported && (!AppContext.TryGetSwitch(Switch, out bool on) || on);

    /// <summary>Where it is not supported: why, as a sentence.</summary>
    public static string Reason => RuntimeFeature.IsDynamicCodeSupported
        ? $"The switch {Switch} is off."
        : "Kernels for a GPU are compiled at run time, which a program compiled ahead of time cannot do.";
}
