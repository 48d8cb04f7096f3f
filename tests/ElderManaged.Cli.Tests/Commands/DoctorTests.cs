using System.Text.Json;
using ElderManaged.Cli.Commands;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Tests.Commands;

/// <summary><c>elder doctor</c> says what was found, what was refused and why, and which device auto takes.</summary>
public sealed class DoctorTests
{
    private static readonly DeviceReport Processor = new(DeviceKinds.Cpu, "a processor", Usable: true, null, 16_000_000_000, "");

    private static readonly DeviceReport TooOld = new(
        DeviceKinds.Cuda, "a GPU", Usable: false, "its driver 390.1 is too old; install 525 or newer.", 8_000_000_000, "390.1");

    private static readonly DeviceReport Emulated = new(DeviceKinds.OpenCL, "a software device", Usable: true, null, 0, "PoCL 3.1")
    {
        NotForAuto = "it computes on the processor.", Details = [("compute units", "2")],
    };

    [Fact]
    public void ThisMachineHasAProcessorAndAutoTakesOne()
    {
        Outcome outcome = Elder.Run("doctor", "--json");
        Assert.Equal(Program.Success, outcome.Code);
        JsonElement json = outcome.Json, processor = json.GetProperty("devices")[0];
        Assert.Equal("cpu", processor.GetProperty("kind").GetString());
        Assert.True(processor.GetProperty("usable").GetBoolean());
        Assert.True(json.GetProperty("memoryBytes").GetInt64() > 1L << 28);
        Assert.Equal(Environment.ProcessorCount, json.GetProperty("processors").GetInt32());
        Assert.Equal(Simd.Best.ToString(), json.GetProperty("widestSimd").GetString());
        Assert.True(json.GetProperty("dynamicCode").GetBoolean());
        Assert.False(json.GetProperty("compiledAhead").GetBoolean());
        Assert.Contains(
            json.GetProperty("devices").EnumerateArray(),
            device => device.GetProperty("usable").GetBoolean() && device.GetProperty("kind").GetString() == json.GetProperty("auto").GetProperty("kind").GetString());
    }

    [Fact]
    public void LinesSayWhatWasRefusedAndWhy()
    {
        string text = Print(["ILGPU"], [Processor, TooOld, Emulated], json: false);
        Assert.Contains("by ILGPU", text, StringComparison.Ordinal);
        Assert.Contains("cuda: a GPU", text, StringComparison.Ordinal);
        Assert.Contains($"no: {TooOld.Refusal}", text, StringComparison.Ordinal);
        Assert.Contains($"yes, but not for auto: {Emulated.NotForAuto}", text, StringComparison.Ordinal);
        Assert.Contains("8.0 GB", text, StringComparison.Ordinal);
        Assert.Contains("PoCL 3.1", text, StringComparison.Ordinal);
        Assert.Matches("compute units +2", text);
        Assert.Matches("auto takes +cpu: a processor", text);
    }

    [Fact]
    public void WithoutABackendItSaysThatGpusAreNotSupportedHere()
    {
        Assert.Matches("GPU support +not part of this build", Print([], [Processor], json: false));
        Assert.DoesNotContain("not part of this build", Print(["ILGPU"], [Processor], json: false), StringComparison.Ordinal);
    }

    [Fact]
    public void JsonHoldsTheSame()
    {
        DeviceReport gpu = TooOld with { Usable = true, Refusal = null };
        JsonElement json = JsonDocument.Parse(Print(["ILGPU"], [Processor, Emulated, gpu], json: true)).RootElement;
        Assert.Equal("a GPU", json.GetProperty("auto").GetProperty("name").GetString());
        JsonElement emulated = json.GetProperty("devices")[1];
        Assert.Equal(Emulated.NotForAuto, emulated.GetProperty("notForAuto").GetString());
        Assert.Equal("2", emulated.GetProperty("details").GetProperty("compute units").GetString());
        Assert.Equal(JsonValueKind.Null, emulated.GetProperty("refusal").ValueKind);
    }

    [Theory]
    [InlineData(null, SimdLevel.Vector512, false, "")]
    [InlineData("avx2", SimdLevel.Vector512, false, "ELDER_SIMD=avx2 is followed.")]
    [InlineData(" AVX512 ", SimdLevel.Vector256, false, "ELDER_SIMD= AVX512  asks for more than there is and changes nothing.")]
    [InlineData("neon", SimdLevel.Vector512, false, "ELDER_SIMD=neon is not known and changes nothing; it may be avx512, avx2, vector128, scalar.")]
    [InlineData(null, SimdLevel.Vector128, false, "Without AVX2 and FMA, computing is tens of times slower.")]
    [InlineData(null, SimdLevel.Vector256, true, "The width was settled when this program was compiled; one compiled with -p:IlcInstructionSet=native takes all that its machine has.")]
    public void TheWidthIsExplained(string? wanted, SimdLevel widest, bool compiledAhead, string note) =>
        Assert.Equal(note, string.Join(' ', DoctorFindings.NotesOn(wanted, widest, compiledAhead)));

    [Theory]
    [InlineData(null, "")]
    [InlineData("Off", "ELDER_TUNE=Off is followed.")]
    [InlineData("false", "ELDER_TUNE=false is not known and changes nothing; it may be off.")]
    public void TuningIsExplained(string? wanted, string note) => Assert.Equal(note, string.Join(' ', DoctorFindings.NotesOnTuning(wanted)));

    private static string Print(string[] backends, DeviceReport[] devices, bool json)
    {
        using StringWriter output = new();
        DoctorCommand.Print(new Terminal(output, TextWriter.Null, false, false), DoctorFindings.OfThisMachine(), backends, devices, json);
        return output.ToString();
    }
}
