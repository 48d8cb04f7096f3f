using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Cli.Tests.NativeAot;

/// <summary>The command line as one native program: no warnings, no GPU code, the same answers. Sizes and times go to artifacts/native-aot.txt.</summary>
public sealed class NativeAotTests(NativeProgram native) : IClassFixture<NativeProgram>
{
    private const int Starts = 20;
    private static readonly string Figures = Path.Combine(SharedData.RequireRepository(), "artifacts", "native-aot.txt");

    [NativeAotFact]
    public void ThePublishHasNoTrimOrAotWarnings()
    {
        Assert.True(native.Code == 0, native.Log);
        Assert.DoesNotContain("warning", native.Log, StringComparison.OrdinalIgnoreCase);
    }

    [NativeAotFact]
    public void OneFileHoldsEverythingAndStarts()
    {
        FileInfo program = new(native.Executable);
        Assert.Empty(Directory.GetFiles(NativeProgram.Folder, "*.dll"));
        Assert.Empty(Directory.GetFiles(NativeProgram.Folder, "*.so"));
        double[] milliseconds = [.. Enumerable.Range(0, Starts).Select(_ => Start()).Order()];
        Write(string.Create(CultureInfo.InvariantCulture, $"NativeAOT: elder has {program.Length / 1e6:0.0} MB; elder --version takes {milliseconds[Starts / 2]:0.0} ms (median of {Starts})"));
    }

    [NativeAotFact]
    public void NothingOfTheGpuPathIsInIt()
    {
        string names = Encoding.Latin1.GetString(File.ReadAllBytes(native.Executable));
        Assert.Contains("Spectre.Console", names, StringComparison.Ordinal); // what is in the program can be found this way
        Assert.DoesNotContain("ILGPU", names, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("FloatBuffer", names, StringComparison.Ordinal); // nor of the classes that use it, beside those of the processor
        Assert.DoesNotContain("GpuKernel", names, StringComparison.Ordinal);
        Assert.DoesNotContain("AttentionGpu", names, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(NativeProgram.Folder, "*ILGPU*", SearchOption.AllDirectories));
    }

    [NativeAotFact]
    public void TheDoctorKnowsThatItWasCompiledAheadAndForWhichWidth()
    {
        JsonElement json = native.Run("doctor", "--json").Json;
        Assert.True(json.GetProperty("compiledAhead").GetBoolean());
        Assert.False(json.GetProperty("dynamicCode").GetBoolean());
        Assert.Empty(json.GetProperty("gpuBackends").EnumerateArray());
        Assert.Equal("cpu", json.GetProperty("auto").GetProperty("kind").GetString());

        // Narrower than this, the kernels would be a hundred times slower, and nothing else would show it.
        Assert.Equal(nameof(SimdLevel.Vector256), json.GetProperty("widestSimd").GetString());
    }

    [NativeAotFact]
    public void TheDemoGivesTheFiguresOfTheOrdinaryBuild()
    {
        using Elder elder = new();
        string[] arguments = ["demo", "--methods", "base", "elder", "--edits", "12", "--json", "--report"];
        Stopwatch watch = Stopwatch.StartNew();
        Outcome outcome = native.Run([.. arguments, elder.PathOf("native.html")]);
        double seconds = watch.Elapsed.TotalSeconds;
        Assert.True(outcome.Code == 0, outcome.Error);
        Assert.Equal(WithoutTimes(Elder.Run([.. arguments, elder.PathOf("ordinary.html")]).Out), WithoutTimes(outcome.Out));
        Assert.Contains("<svg", File.ReadAllText(elder.PathOf("native.html")), StringComparison.Ordinal);
        Write(string.Create(CultureInfo.InvariantCulture, $"NativeAOT: elder demo with base and elder, 12 edits, takes {seconds:0.0} s beside other tests"));
    }

    private double Start()
    {
        Stopwatch watch = Stopwatch.StartNew();
        Outcome outcome = native.Run("--version");
        double milliseconds = watch.Elapsed.TotalMilliseconds;
        Assert.Equal((0, ""), (outcome.Code, outcome.Error));
        Assert.StartsWith("0.", outcome.Out, StringComparison.Ordinal);
        return milliseconds;
    }

    private static string WithoutTimes(string json)
    {
        JsonNode result = JsonNode.Parse(json)!;
        foreach (JsonNode? method in result["methods"]!.AsArray())
        {
            Assert.True(method!.AsObject().Remove("secondsPerEdit"));
        }

        return result.ToJsonString();
    }

    // For .ci/run, which prints them; each test has a line of its own.
    private static void Write(string line) => File.AppendAllText(Figures, line + "\n");
}
