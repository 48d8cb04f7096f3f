using ElderManaged.Models;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Cli.Tests.Commands;

/// <summary><c>--device</c>: which one computes, what is said about it, and how a wrong one ends.</summary>
public sealed class DeviceOptionTests
{
    public static TheoryData<string[]> Commands =>
    [
        ["generate", "a", "--model", Elder.Model],
        ["ask", "a", "--state", "nowhere", "--model", Elder.Model],
        ["demo", "--model", Elder.Model],
        ["edit", "--edits", "{edits}", "--out", "{out}", "--model", Elder.Model],
        ["bench", "edit", "--shape", "tiny"],
        ["bench", "generate", "--shape", "tiny"],
        ["bench", "model", "--model", Elder.Model],
    ];

    [Theory]
    [MemberData(nameof(Commands))]
    public void AnUnknownDeviceIsRefusedBeforeAnythingIsDone(string[] command)
    {
        using Elder elder = new();
        string edits = elder.Write("edits.jsonl", """{"prompt":"a","target":"b","rephrasings":["c"]}""");
        string output = elder.PathOf("out");
        Outcome outcome = Elder.Run([.. command.Select(word => word.Replace("{edits}", edits, StringComparison.Ordinal).Replace("{out}", output, StringComparison.Ordinal)), "--device", "tpu"]);
        Assert.Equal((Program.BadInput, ""), (outcome.Code, outcome.Out));
        Assert.Contains("There is no device 'tpu': say auto, cpu, cuda or opencl.", outcome.Error, StringComparison.Ordinal);
        Assert.False(Path.Exists(output));
    }

    [Fact]
    public void ADeviceThatCannotBeUsedIsRefusedWithTheReason()
    {
        if (DeviceCatalog.Discover().Any(device => device is { Kind: DeviceKinds.Cuda, Usable: true }))
        {
            return; // it can be used here
        }

        Outcome outcome = Elder.Run("generate", "a", "--model", Elder.Model, "--device", "cuda");
        Assert.Equal((Program.BadInput, ""), (outcome.Code, outcome.Out));
        Assert.Contains("cuda", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("--device cpu", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AutoIsTheDefaultAndSaysNothingWhereThereIsNoGpu()
    {
        Outcome plain = Elder.Run("generate", "a", "--model", Elder.Model, "--max-tokens", "4"), auto = Elder.Run("generate", "a", "--model", Elder.Model, "--max-tokens", "4", "--device", "auto");
        Assert.Equal(plain, auto);
        Assert.Equal(0, plain.Code);
        bool gpu = DeviceCatalog.Discover().Any(device => device.Kind != DeviceKinds.Cpu && device.NotForAuto is null);
        Assert.Equal(gpu, plain.Error.Length > 0);
    }

    [Fact]
    public void TensorCoresAreOptionalEverywhereAndItIsSaidWhyTheyAreNotUsed()
    {
        Outcome plain = Elder.Run("generate", "a", "--model", Elder.Model, "--max-tokens", "4", "--device", "cpu");
        Outcome asked = Elder.Run("generate", "a", "--model", Elder.Model, "--max-tokens", "4", "--device", "cpu", "--tensor-cores");
        Assert.Equal((plain.Code, plain.Out), (asked.Code, asked.Out));
        Assert.Contains("Tensor cores: not used: the processor has none.", asked.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("ensor cores", plain.Error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void EveryCommandThatTakesADeviceTakesTensorCores(string[] command) =>
        Assert.Contains("--tensor-cores", Elder.Run([.. command.TakeWhile(word => word[0] != '-'), "--help"]).Out, StringComparison.Ordinal);

    [Fact]
    public void TheReportOfABenchNamesTheDevice()
    {
        Outcome outcome = Elder.Run("bench", "generate", "--shape", "tiny", "--prompt", "4", "--tokens", "3", "--device", "cpu", "--json");
        Assert.Equal("cpu", outcome.Json.GetProperty("device").GetString());
    }

    [OpenCLFact]
    public void ALoadedModelGeneratesTheSameOnOpenCL()
    {
        int[] Generate(Device device)
        {
            TransformerModel model = TransformerModel.Load(Elder.Model, new LoadOptions { Device = device });
            Assert.Equal(device, model.Device);
            return Models.Generation.Generator.Generate(
                Models.Generation.PromptBatch.OfBase(model, [[3, 1, 4]]), new Models.Generation.GenerationOptions { MaxTokens = 6, IgnoreEnd = true })[0];
        }

        Assert.Equal(Generate(Device.Cpu), Generate(TestDevices.OpenCL!));
    }
}
