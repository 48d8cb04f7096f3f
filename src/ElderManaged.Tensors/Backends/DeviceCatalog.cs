using System.Globalization;
using System.Runtime.InteropServices;

namespace ElderManaged.Tensors;

/// <summary>
/// The devices of this machine. The processor is always in it, GPUs are where this program has the GPU path; others may add what
/// they find by <see cref="Register"/>.
/// </summary>
/// <remarks>Looking costs time, since drivers are loaded: nothing is asked before <see cref="Discover"/>. Safe to call from any thread.</remarks>
public static class DeviceCatalog
{
    private static readonly Lock Registration = new();
    private static readonly List<Source> Sources = GpuFeature.IsSupported ? [new Source("ILGPU", static () => GpuDevices.Reports)] : [];

    /// <summary>The names of the assemblies or backends that look for devices; empty where only the processor is supported.</summary>
    public static IReadOnlyList<string> Backends
    {
        get
        {
            lock (Registration)
            {
                return [.. Sources.Select(source => source.Backend)];
            }
        }
    }

    /// <summary>Adds a way of finding devices; done again under the same name, it takes the place of the earlier one.</summary>
    /// <param name="backend">Its name, as people know it ("ILGPU").</param>
    /// <param name="discover">
    /// Looks for devices and says what it found: a report for each device, usable or refused, and, for a kind of which there is
    /// none, one that is not usable and says what was missing.
    /// </param>
    public static void Register(string backend, Func<IReadOnlyList<DeviceReport>> discover)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(backend);
        ArgumentNullException.ThrowIfNull(discover);
        lock (Registration)
        {
            Sources.RemoveAll(source => source.Backend == backend);
            Sources.Add(new Source(backend, discover));
        }
    }

    /// <summary>Takes away what <see cref="Register"/> added.</summary>
    /// <param name="backend">The name it was added under.</param>
    internal static void Unregister(string backend)
    {
        lock (Registration)
        {
            Sources.RemoveAll(source => source.Backend == backend);
        }
    }

    /// <summary>
    /// Looks for devices now. A way of looking that fails is reported as a device that is not usable, with the failure as
    /// its reason: a broken driver must not keep the processor from being used.
    /// </summary>
    /// <returns>The processor first, then what each backend found, in its order.</returns>
    public static IReadOnlyList<DeviceReport> Discover()
    {
        Source[] sources;
        lock (Registration)
        {
            sources = [.. Sources];
        }

        List<DeviceReport> found = [Processor()];
        foreach (Source source in sources)
        {
            try
            {
                found.AddRange(source.Discover());
            }
#pragma warning disable CA1031 // Drivers fail in any way they like; whatever it is, it is the reason of the refusal.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                found.Add(new DeviceReport(
                    source.Backend, source.Backend, Usable: false, $"Looking for devices failed: {failure.GetType().Name}: {failure.Message}", 0, ""));
            }
        }

        return found;
    }

    /// <summary>The device that <see cref="DeviceKinds.Auto"/> takes: the first in the order of <see cref="DeviceKinds.Preference"/> that is usable and not passed over.</summary>
    /// <param name="devices">What <see cref="Discover"/> gave.</param>
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

    private sealed record Source(string Backend, Func<IReadOnlyList<DeviceReport>> Discover);
}
