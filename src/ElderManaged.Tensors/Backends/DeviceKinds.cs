namespace ElderManaged.Tensors;

/// <summary>The kinds of devices, by the names that <c>--device</c> takes.</summary>
public static class DeviceKinds
{
    /// <summary>The processor, with this engine's own kernels; always there.</summary>
    public const string Cpu = "cpu";

    /// <summary>An NVIDIA GPU through its own driver.</summary>
    public const string Cuda = "cuda";

    /// <summary>A device behind an OpenCL driver.</summary>
    public const string OpenCL = "opencl";

    /// <summary>No kind of its own: the first usable device in the order of <see cref="Preference"/>.</summary>
    public const string Auto = "auto";

    /// <summary>The kinds in the order in which <see cref="Auto"/> asks for them.</summary>
    public static IReadOnlyList<string> Preference { get; } = [Cuda, OpenCL, Cpu];
}
