using System.Globalization;
using System.Runtime.InteropServices;

namespace ElderManaged.Tensors;

/// <summary>The devices of this machine. The processor is always in it, GPUs are where this program has the GPU path.</summary>
/// <remarks>Looking costs time, since drivers are loaded: nothing is asked before <see cref="Discover()"/>. Safe to call from any thread.</remarks>
public static class DeviceCatalog
{
    private const string Ilgpu = "ILGPU";

    /// <summary>The names of the libraries that look for devices; empty where only the processor is supported.</summary>
    public static IReadOnlyList<string> Backends { get; } = GpuFeature.IsSupported ? [Ilgpu] : [];

    /// <summary>
    /// Looks for devices now. If looking fails, that is reported as a device that is not usable, with the failure as its reason:
    /// a broken driver must not keep the processor from being used.
    /// </summary>
    /// <returns>The processor first, then what the drivers found, in their order.</returns>
    public static IReadOnlyList<DeviceReport> Discover() => GpuFeature.IsSupported ? Discover(static () => GpuDevices.Reports) : [Processor()];

    internal static IReadOnlyList<DeviceReport> Discover(Func<IReadOnlyList<DeviceReport>> gpus)
    {
        try
        {
            return [Processor(), .. gpus()];
        }
#pragma warning disable CA1031 // Drivers fail in any way they like; whatever it is, it is the reason of the refusal.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            return [Processor(), new DeviceReport(Ilgpu, Ilgpu, Usable: false, $"Looking for devices failed: {failure.GetType().Name}: {failure.Message}", 0, "")];
        }
    }

    /// <summary>The device that <see cref="DeviceKinds.Auto"/> takes: the first in the order of <see cref="DeviceKinds.Preference"/> that is usable and not passed over.</summary>
    /// <param name="devices">What <see cref="Discover()"/> gave.</param>
    /// <returns>The device; the processor where no other one will do.</returns>
    public static DeviceReport TakenByAuto(IReadOnlyList<DeviceReport> devices)
    {
        ArgumentNullException.ThrowIfNull(devices);
        return DeviceKinds.Preference
            .SelectMany(kind => devices.Where(device => device.Kind == kind && device.Usable && device.NotForAuto is null))
            .FirstOrDefault() ?? Processor();
    }

    /// <summary>The processor as a device.</summary>
    public static DeviceReport Processor() => new(
        DeviceKinds.Cpu,
        string.Create(CultureInfo.InvariantCulture, $"{ProcessorName() ?? $"{RuntimeInformation.ProcessArchitecture} processor"}, {Environment.ProcessorCount} logical processors"),
        Usable: true,
        Refusal: null,
        GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
        Driver: "");

    // Linux says it in a file; elsewhere the architecture has to do. x86 calls the line "model name"; many Arm kernels leave it out.
    private static string? ProcessorName()
    {
        const string ProcessorFile = "/proc/cpuinfo";
        if (!File.Exists(ProcessorFile))
        {
            return null;
        }

        string? line = File.ReadLines(ProcessorFile).FirstOrDefault(text => text.StartsWith("model name", StringComparison.Ordinal));
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }
}
