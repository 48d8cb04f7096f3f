using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Commands;

/// <summary><c>elder doctor</c>: what this machine offers, what of it can be used, and why the rest cannot.</summary>
internal static class DoctorCommand
{
    private const double Giga = 1e9;
    private const string NoGpuInBuild = "not part of this build; the processor does everything";

    public static Command Create(Terminal terminal)
    {
        Option<bool> json = Inputs.Json();
        Command command = new("doctor", "Lists the devices of this machine, says which are refused and why, and which one auto takes.") { json };
        command.SetAction(parsed =>
        {
            IReadOnlyList<DeviceReport> devices = DeviceCatalog.Discover();
            Print(terminal, DoctorFindings.OfThisMachine(), DeviceCatalog.Backends, devices, parsed.GetValue(json));
            return Program.Success;
        });
        return command;
    }

    /// <summary>Prints what was found.</summary>
    /// <param name="terminal">Where to.</param>
    /// <param name="findings">The program and the machine.</param>
    /// <param name="backends">Who was asked for devices.</param>
    /// <param name="devices">What they said.</param>
    /// <param name="json">As one JSON object instead of lines.</param>
    internal static void Print(
        Terminal terminal, DoctorFindings findings, IReadOnlyList<string> backends, IReadOnlyList<DeviceReport> devices, bool json)
    {
        DeviceReport taken = DeviceCatalog.TakenByAuto(devices);
        if (json)
        {
            terminal.Out.WriteLine(JsonOutput.Write(writer => Write(writer, findings, backends, devices, taken)));
            return;
        }

        foreach ((string name, string value) in Lines(findings, backends, devices, taken))
        {
            terminal.Out.WriteLine($"{name,-14}{value}".TrimEnd());
        }
    }

    private static IEnumerable<(string Name, string Value)> Lines(
        DoctorFindings findings, IReadOnlyList<string> backends, IReadOnlyList<DeviceReport> devices, DeviceReport taken)
    {
        yield return ("elder", findings.Version);
        yield return ("runtime", $"{findings.Runtime}, {(findings.CompiledAhead ? "compiled ahead of time" : "compiled as it runs")}");
        yield return ("dynamic code", findings.DynamicCode ? "supported" : "not supported, so that no GPU can be used");
        yield return ("system", $"{findings.System}, {findings.Architecture}");
        yield return ("memory", Gigabytes(findings.MemoryBytes));
        yield return ("threads", Text($"{findings.Threads} of {findings.Processors} logical processors"));
        yield return ("SIMD", findings.Simd == findings.WidestSimd ? $"{findings.Simd}, the widest of this program here" : $"{findings.Simd} of {findings.WidestSimd}");
        foreach (string note in findings.Notes)
        {
            yield return ("", note);
        }

        yield return ("GPU support", backends.Count == 0 ? NoGpuInBuild : $"by {string.Join(", ", backends)}");
        foreach (DeviceReport device in devices)
        {
            yield return ("", "");
            yield return ("device", $"{device.Kind}: {device.Name}");
            yield return ("  usable", !device.Usable ? $"no: {device.Refusal}" : device.NotForAuto is null ? "yes" : $"yes, but not for auto: {device.NotForAuto}");
            if (device.MemoryBytes > 0)
            {
                yield return ("  memory", Gigabytes(device.MemoryBytes));
            }

            if (device.Driver.Length > 0)
            {
                yield return ("  driver", device.Driver);
            }

            foreach ((string name, string value) in device.Details)
            {
                yield return ($"  {name} ", value);
            }
        }

        yield return ("", "");
        yield return ("auto takes", $"{taken.Kind}: {taken.Name}");
    }

    private static void Write(
        Utf8JsonWriter json, DoctorFindings findings, IReadOnlyList<string> backends, IReadOnlyList<DeviceReport> devices, DeviceReport taken)
    {
        json.WriteString("version", findings.Version);
        json.WriteString("runtime", findings.Runtime);
        json.WriteBoolean("compiledAhead", findings.CompiledAhead);
        json.WriteBoolean("dynamicCode", findings.DynamicCode);
        json.WriteString("system", findings.System);
        json.WriteString("architecture", findings.Architecture);
        json.WriteNumber("memoryBytes", findings.MemoryBytes);
        json.WriteNumber("threads", findings.Threads);
        json.WriteNumber("processors", findings.Processors);
        json.WriteString("simd", findings.Simd.ToString());
        json.WriteString("widestSimd", findings.WidestSimd.ToString());
        json.WriteString("simdOverride", findings.SimdOverride);
        WriteAll(json, "notes", findings.Notes);
        WriteAll(json, "gpuBackends", backends);
        json.WriteStartArray("devices");
        foreach (DeviceReport device in devices)
        {
            json.WriteStartObject();
            json.WriteString("kind", device.Kind);
            json.WriteString("name", device.Name);
            json.WriteBoolean("usable", device.Usable);
            json.WriteString("refusal", device.Refusal);
            json.WriteString("notForAuto", device.NotForAuto);
            json.WriteNumber("memoryBytes", device.MemoryBytes);
            json.WriteString("driver", device.Driver);
            json.WriteStartObject("details");
            foreach ((string name, string value) in device.Details)
            {
                json.WriteString(name, value);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartObject("auto");
        json.WriteString("kind", taken.Kind);
        json.WriteString("name", taken.Name);
        json.WriteEndObject();
    }

    private static void WriteAll(Utf8JsonWriter json, string name, IReadOnlyList<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }

    private static string Gigabytes(long bytes) => Text($"{bytes / Giga:N1} GB");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
