using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

/// <summary>
/// Whether this build has the GPU path. Its kernels are compiled at run time, so it needs dynamic code; with the switch off, a
/// trimmed or NativeAOT build has nothing of it in it.
/// </summary>
internal static class GpuSupport
{
    /// <summary>The switch, for <c>RuntimeHostConfigurationOption</c> and <see cref="AppContext.SetSwitch"/>.</summary>
    public const string Switch = "ElderManaged.Gpu.IsSupported";

    /// <summary>Asked at every op that has a GPU kernel, hence a constant for the compiler once known.</summary>
    [FeatureSwitchDefinition(Switch)]
    [FeatureGuard(typeof(RequiresDynamicCodeAttribute))]
    public static bool IsSupported { get; } =
        (!AppContext.TryGetSwitch(Switch, out bool on) || on) && RuntimeFeature.IsDynamicCodeSupported;

    /// <summary>Why it is not there.</summary>
    public static string Reason => RuntimeFeature.IsDynamicCodeSupported
        ? $"the switch {Switch} is off."
        : "kernels for a GPU are compiled at run time, which this build (NativeAOT) cannot do.";
}
