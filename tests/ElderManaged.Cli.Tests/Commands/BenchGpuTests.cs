using System.Text.Json;
using ElderManaged.Cli.Bench;
using ElderManaged.Cli.Commands.Bench;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Cli.Tests.Commands;

public sealed class BenchGpuTests
{
    private static readonly GpuBenchSizes Small = new([(3, 64, 96)], 5000, (7, 2, 16), ("tiny", 4));

    [Fact]
    public void TheProcessorIsNotMeasuredAsAGpu()
    {
        Outcome outcome = Elder.Run("bench", "gpu", "--device", "cpu");
        Assert.Equal((Program.BadInput, ""), (outcome.Code, outcome.Out));
        Assert.Contains("elder doctor", outcome.Error, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => DevicePeaks.Measure(Device.Cpu));
    }

    [OpenCLFact]
    public void OnOpenCLEveryOpIsMeasuredAndADriverOfTheProcessorIsCalledNoGpu()
    {
        Device device = TestDevices.OpenCL!;
        DevicePeaks peaks = DevicePeaks.Measure(device);
        List<string> told = [];
        List<GpuBenchLine> lines = new GpuBench(device, Small, told.Add, CancellationToken.None).Run();
        Assert.Equal(
            [
                "product 3 x 64 x 96, Float32", "product 3 x 64 x 96, Float32, backward", "product 3 x 64 x 96, Float16", "product 3 x 64 x 96, Float16, backward",
                "product 3 x 64 x 96, both gradients", "GELU of 5000", "attention of 7 positions, 2 heads of 16", "attention of 7 positions, 2 heads of 16, backward",
                "iteration of paper on tiny, Float16", "iteration of elder on tiny, Float16",
            ],
            told);
        Assert.Equal(told, lines.Select(line => line.Name).Where(name => !name.EndsWith("alone", StringComparison.Ordinal)));
        Assert.Equal(told.Count + 2, lines.Count);
        Assert.All(lines, line => Assert.True(line.OnDevice && line.Seconds > 0 && line.ShareOf(peaks) > 0, line.Name));
        Assert.All(lines, line => Assert.Equal(line.Name.Contains("Float32", StringComparison.Ordinal), line.Compared));
        Assert.All(lines, line => Assert.Null(line.Vendor)); // it is NVIDIA's

        string text = Print(device.Report, peaks, lines, json: false);
        Assert.Contains("cuBLAS not found", text, StringComparison.Ordinal);
        Assert.Equal(device.Report.NotForAuto is not null, text.Contains("This is no GPU", StringComparison.Ordinal));
        JsonElement json = JsonDocument.Parse(Print(device.Report, peaks, lines, json: true)).RootElement;
        Assert.Equal(device.Report.NotForAuto is null, json.GetProperty("isGpu").GetBoolean());
        Assert.Equal(lines.Count, json.GetProperty("ops").GetArrayLength());
    }

    [Fact]
    public void AnOpWithoutAKernelIsNotClaimedForTheDevice()
    {
        DeviceReport gpu = new(DeviceKinds.Cuda, "a GPU", Usable: true, null, 1, "1");
        GpuBenchLine[] lines = [new("one", 0.5, 1e9, 1e9, OnDevice: true) { Compared = true, Vendor = "cuBLAS", VendorSeconds = 0.4 }, new("two", 0.5, 1e9, 1e9, OnDevice: false)];
        string text = Print(gpu, new DevicePeaks(4e9, 1e10), lines, json: false);
        Assert.Contains("0.50 of what the peaks allow", text, StringComparison.Ordinal); // 0.25 s of operations in 0.5 s
        Assert.Contains("cuBLAS 400.000 ms, 0.80 of its speed", text, StringComparison.Ordinal);
        Assert.Contains("two  not on the device", text, StringComparison.Ordinal);
        JsonElement ops = JsonDocument.Parse(Print(gpu, new DevicePeaks(4e9, 1e10), lines, json: true)).RootElement.GetProperty("ops");
        Assert.Equal(0.5, ops[0].GetProperty("shareOfPeak").GetDouble());
        Assert.Equal(("cuBLAS", 0.4), (ops[0].GetProperty("vendor").GetString(), ops[0].GetProperty("vendorSeconds").GetDouble()));
        Assert.Equal(JsonValueKind.Null, ops[1].GetProperty("seconds").ValueKind);
    }

    private static string Print(DeviceReport device, DevicePeaks peaks, IReadOnlyList<GpuBenchLine> lines, bool json)
    {
        using StringWriter output = new(), error = new();
        BenchGpuCommand.Print(new Terminal(output, error, false, false), device, peaks, lines, json);
        return output.ToString();
    }
}
