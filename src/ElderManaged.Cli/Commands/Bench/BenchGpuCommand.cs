using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ElderManaged.Cli.Bench;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Commands.Bench;

/// <summary><c>elder bench gpu</c>: single ops and the edit loop on a GPU, beside what it reaches at most.</summary>
internal static class BenchGpuCommand
{
    public static Command Create(Terminal terminal, CancellationToken cancellationToken)
    {
        Option<string> device = Inputs.Device();
        Option<string> shape = BenchOptions.Shape();
        Option<bool> tensorCores = Inputs.TensorCores();
        Option<bool> json = Inputs.Json();
        Option<bool> tune = new("--tune") { Description = $"Measure which tiles are fastest for each product, whatever was kept of earlier measurements, and say which on the error stream. ({DeviceTuning.Variable}=off: products never measure by themselves.)" };
        Command command = new("gpu", "Times products, attention and the edit loop on a GPU, beside its own peaks and cuBLAS where that is installed.") { shape, device, tensorCores, json, tune };
        command.SetAction(parsed =>
        {
            string edited = parsed.GetValue(shape)!;
            _ = ModelShapes.Find(edited); // refuses an unknown one before anything is measured
            using Device gpu = Inputs.OpenDevice(parsed.GetValue(device)!, parsed.GetValue(tensorCores), terminal);
            if (gpu == Device.Cpu)
            {
                throw new UsageException("There is no GPU here that will do, so there is nothing to measure; 'elder doctor' says why. 'elder bench edit' and 'elder bench generate' measure the processor.");
            }

            if (parsed.GetValue(tune))
            {
                DeviceTuning.Restart(gpu, terminal.Error.WriteLine);
            }

            DevicePeaks peaks = DevicePeaks.Measure(gpu);
            GpuBenchSizes sizes = GpuBenchSizes.Real with { Edit = GpuBenchSizes.Real.Edit with { Shape = edited } };
            Print(terminal, gpu.Report, peaks, new GpuBench(gpu, sizes, text => BenchOptions.Progress(terminal, text), cancellationToken).Run(), parsed.GetValue(json));
            foreach (DeviceTuningChoice tile in parsed.GetValue(tune) ? DeviceTuning.Choices(gpu) : [])
            {
                terminal.Error.WriteLine($"tiles of {tile.Tile} for up to {tile.Rows} x {tile.Depth} x {tile.Columns}, B {tile.Operands}");
            }

            return Program.Success;
        });
        return command;
    }

    /// <summary>Prints what was measured.</summary>
    /// <param name="terminal">Where to.</param>
    /// <param name="device">On what.</param>
    /// <param name="peaks">What it reaches.</param>
    /// <param name="lines">The ops.</param>
    /// <param name="json">As one JSON object instead of lines.</param>
    internal static void Print(Terminal terminal, DeviceReport device, DevicePeaks peaks, IReadOnlyList<GpuBenchLine> lines, bool json)
    {
        if (json)
        {
            terminal.Out.WriteLine(JsonOutput.Write(writer => Write(writer, device, peaks, lines)));
            return;
        }

        CultureInfo c = CultureInfo.InvariantCulture;
        terminal.Out.WriteLine($"{device.Kind}: {device.Name}, {device.Driver}");
        if (device.NotForAuto is { } why)
        {
            terminal.Out.WriteLine($"This is no GPU: {why}");
        }

        terminal.Out.WriteLine(string.Create(c, $"peaks: {peaks.OperationsPerSecond / 1e9:0} GFLOP/s from registers, {peaks.BytesPerSecond / 1e9:0.0} GB/s copied (read and written counted)"));
        int width = lines.Max(line => line.Name.Length);
        foreach (GpuBenchLine line in lines)
        {
            string name = line.Name.PadRight(width);
            terminal.Out.WriteLine(line.OnDevice
                ? string.Create(c, $"{name}  {line.Seconds * 1e3,9:0.000} ms  {line.Operations / line.Seconds / 1e9,8:0} GFLOP/s  {line.Bytes / line.Seconds / 1e9,7:0.0} GB/s  {line.ShareOf(peaks):0.00} of what the peaks allow{Beside(line)}")
                : $"{name}  not on the device: there is no kernel for it, the processor computes");
        }
    }

    private static string Beside(GpuBenchLine line) => line switch
    {
        { Compared: false } => "",
        { Vendor: { } vendor } => string.Create(CultureInfo.InvariantCulture, $"; {vendor} {line.VendorSeconds * 1e3:0.000} ms, {line.VendorSeconds / line.Seconds:0.00} of its speed"),
        _ => "; cuBLAS not found",
    };

    private static void Write(Utf8JsonWriter json, DeviceReport device, DevicePeaks peaks, IReadOnlyList<GpuBenchLine> lines)
    {
        json.WriteString("device", device.Kind);
        json.WriteString("name", device.Name);
        json.WriteString("driver", device.Driver);
        json.WriteBoolean("isGpu", device.NotForAuto is null);
        json.WriteNumber("peakOperationsPerSecond", peaks.OperationsPerSecond);
        json.WriteNumber("peakBytesPerSecond", peaks.BytesPerSecond);
        json.WriteStartArray("ops");
        foreach (GpuBenchLine line in lines)
        {
            json.WriteStartObject();
            json.WriteString("name", line.Name);
            json.WriteBoolean("onDevice", line.OnDevice);
            BenchOptions.Write(json, "seconds", line.OnDevice ? line.Seconds : double.NaN);
            json.WriteNumber("operations", line.Operations);
            json.WriteNumber("bytes", line.Bytes);
            BenchOptions.Write(json, "shareOfPeak", line.OnDevice ? line.ShareOf(peaks) : double.NaN);
            if (line.Compared)
            {
                json.WriteString("vendor", line.Vendor ?? "cuBLAS not found");
                BenchOptions.Write(json, "vendorSeconds", line.VendorSeconds);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
