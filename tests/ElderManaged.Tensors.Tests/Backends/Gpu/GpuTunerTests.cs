using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests;

/// <summary>Choosing kernels by measuring: with times that are given, and once with real ones.</summary>
public sealed class GpuTunerTests : IDisposable
{
    private static readonly string[] Names = ["large", "middle", "small"];
    private static readonly GpuTuneKey Key = new("dense nt", 7, 10, 10, 0);

    private readonly TemporaryFolder folder = new();
    private readonly List<string> said = [];
    private readonly FakeClock clock = new();
    private readonly List<int> measured = [];
    private double[] seconds = [0.003, 0.001, 0.002];

    private string Path => folder.File(System.IO.Path.Combine("home", "gpu-tuning.json"));

    public void Dispose() => folder.Dispose();

    [Fact]
    public void TheFastestIsTakenAndMeasuredOnce()
    {
        GpuTuner tuner = Tuner();
        Assert.Equal(1, Choose(tuner));
        Assert.Equal([0, 1, 2], measured);
        Assert.True(tuner.TryGet(Key, out int choice));
        Assert.Equal(1, choice);
        Assert.Equal(1, Choose(tuner));
        Assert.Equal(3, measured.Count);
    }

    [Fact]
    public void TheNextProcessFindsItInTheFile()
    {
        _ = Choose(Tuner());
        measured.Clear();
        seconds = [0, 1, 1];
        Assert.Equal(1, Choose(Tuner()));
        Assert.Empty(measured);
        Assert.Equal(0, Choose(Tuner(device: "another GPU, driver 1"))); // each device has its own
        Assert.Equal(0, Choose(Tuner(kernels: "other kernels")));        // and each build of the kernels
        Assert.Empty(said);
    }

    [Fact]
    public void AnewMeansMeasuredAgain()
    {
        _ = Choose(Tuner());
        seconds = [0, 1, 1];
        Assert.Equal(0, Choose(new GpuTuner("GPU, driver 1", File("kernels"), clock) { Anew = true }));
        Assert.Equal(0, Choose(Tuner()));
    }

    [Fact]
    public void TwoProcessesKeepEachOthersChoices()
    {
        GpuTuner one = Tuner(), other = Tuner();
        _ = Choose(one);
        _ = other.Choose(Key with { Rows = 4 }, Names, [0, 1, 2], Measure);
        _ = Choose(one);
        measured.Clear();
        GpuTuner third = Tuner();
        _ = Choose(third);
        _ = third.Choose(Key with { Rows = 4 }, Names, [0, 1, 2], Measure);
        Assert.Empty(measured);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[1, 2]")]
    [InlineData("{ \"kernels\": 3 }")]
    [InlineData("{ \"kernels\": \"kernels\" }")]
    [InlineData("{ \"kernels\": \"kernels\", \"devices\": { \"GPU, driver 1\": [] } }")]
    public void ABrokenFileIsPassedOverWithANoteAndWrittenAnew(string content)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        System.IO.File.WriteAllText(Path, content);
        Assert.Equal(1, Choose(Tuner()));
        Assert.Contains(Path, Assert.Single(said), StringComparison.Ordinal);
        measured.Clear();
        Assert.Equal(1, Choose(Tuner()));
        Assert.Empty(measured);
        Assert.Single(Directory.GetFiles(System.IO.Path.GetDirectoryName(Path)!)); // nothing temporary is left
    }

    [Fact]
    public void AChoiceThatIsNoMoreIsMeasured()
    {
        File("kernels").Keep("GPU, driver 1", Key.ToString(), "huge");
        Assert.Equal(1, Choose(Tuner()));
        Assert.Equal(3, measured.Count);
    }

    [Fact]
    public void AFileThatCannotBeWrittenIsNoFailure()
    {
        System.IO.File.WriteAllText(folder.File("home"), "a file where the folder should be");
        GpuTuner tuner = Tuner();
        Assert.Equal(1, Choose(tuner));
        Assert.Equal(1, tuner.Choose(Key with { Rows = 4 }, Names, [0, 1, 2], Measure));
        Assert.Contains("ELDER_HOME", Assert.Single(said), StringComparison.Ordinal);
    }

    [Fact]
    public void NoFurtherCandidateIsTriedWhenTheBudgetIsUsedUp()
    {
        seconds = [1.5, 1, 0.1];
        Assert.Equal(1, Choose(Tuner()));
        Assert.Equal([0, 1], measured);
    }

    [Fact]
    public void AKernelThatFailsIsNotTakenAndWithoutAnyTheFirstIs()
    {
        seconds = [0.001, -1, 0.002];
        Assert.Equal(0, Choose(Tuner()));
        seconds = [-1, -1, -1];
        Assert.Equal(2, Tuner().Choose(Key with { Rows = 4 }, Names, [2, 1, 0], Measure));
        seconds = [0.003, 0.001, 0.002];
        Assert.Equal(1, Tuner().Choose(Key with { Rows = 4 }, Names, [2, 1, 0], Measure)); // it was not kept
    }

    [Fact]
    public void AskingAgainAllocatesNothing()
    {
        GpuTuner tuner = Tuner();
        _ = Choose(tuner);
        AllocationCheck.AllocatesNothing(() => _ = tuner.TryGet(Key, out _));
    }

    [OpenCLFact]
    public void OnOpenCLAProductMeasuresOnceKeepsTheChoiceAndHasTheSameBits()
    {
        using Device device = TestDevices.NewOpenCL();
        GpuDevice gpu = (GpuDevice)device;
        Tensor x = LinearTests.Random(new RandomSource(5), new Shape(40, 96)), w = LinearTests.Random(new RandomSource(6), new Shape(72, 96));
        x.MoveTo(device);
        float[] expected = Op.Linear(x, w, null).ReadOnlySpan.ToArray();
        gpu.Tuner = new GpuTuner("PoCL", File("kernels"), TimeProvider.System);
        Assert.Equal(expected, Op.Linear(x, w, null).ReadOnlySpan.ToArray());
        DeviceTuningChoice choice = Assert.Single(DeviceTuning.Choices(device));
        Assert.Equal(("dense nt", 64, 128, 128), (choice.Operands, choice.Rows, choice.Columns, choice.Depth));
        Assert.Contains(choice.Tile, GemmTileSize.Names);
        Assert.Contains(choice.Tile, System.IO.File.ReadAllText(Path), StringComparison.Ordinal);
        Assert.Equal(expected, Op.Linear(x, w, null).ReadOnlySpan.ToArray());
        Assert.Single(DeviceTuning.Choices(device));
    }

    [Fact]
    public void TheProcessorHasNothingToChoose()
    {
        Assert.Empty(DeviceTuning.Choices(Device.Cpu));
        Assert.Throws<ArgumentException>(() => DeviceTuning.Restart(Device.Cpu));
    }

    private GpuTuneFile File(string kernels) => new(Path, kernels, said.Add);

    private GpuTuner Tuner(string device = "GPU, driver 1", string kernels = "kernels") => new(device, File(kernels), clock);

    private int Choose(GpuTuner tuner) => tuner.Choose(Key, Names, [0, 1, 2], Measure);

    // Takes as long as it says; less than nothing stands for a kernel that does not compile.
    private double Measure(int candidate)
    {
        measured.Add(candidate);
        clock.Advance(Math.Abs(seconds[candidate]));
        return seconds[candidate] < 0 ? throw new DeviceException("The kernel does not compile.") : seconds[candidate];
    }

    private sealed class FakeClock : TimeProvider
    {
        private long ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => ticks;

        public void Advance(double seconds) => ticks += (long)(seconds * TimeSpan.TicksPerSecond);
    }
}
