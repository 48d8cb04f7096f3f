using System.CommandLine;
using ElderManaged.Testing;

namespace ElderManaged.KernelDump.Tests;

/// <summary>The tool finds the kernels and writes them as text, with neither GPU nor driver.</summary>
public sealed class DumpCommandTests
{
    private const string Gelu = "(GeluFormula)"; // a formula, in the kernels of its value and of its gradient

    [Fact]
    public void ListsEveryKernelOnceByName()
    {
        (int code, string output, string error) = Run("--list");
        string[] names = output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(names.Order(StringComparer.Ordinal), names);
        Assert.InRange(names.Count(name => name.EndsWith(Gelu, StringComparison.Ordinal)), 2, names.Length - 1);
    }

    [Fact]
    public void WritesPtxAndOpenCLOfTheChosenKernels()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("kernels");
        int expected = 3 * Run("--list", Gelu).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length;
        (int code, string output, string error) = Run(Gelu, "--ptx", "SM_80", "--ptx", "SM_90", "--opencl", "--out", path);
        Assert.Equal((0, ""), (code, error));
        Assert.StartsWith($"{expected} files", output, StringComparison.Ordinal);
        string[] files = Directory.GetFiles(path);
        Assert.Equal(expected, files.Length);
        Assert.All(files, file => Assert.Contains("-GeluFormula.", file, StringComparison.Ordinal));
        Assert.All(files.Where(file => file.EndsWith("SM_80.ptx", StringComparison.Ordinal)), file => Assert.Contains(".target sm_80", File.ReadAllText(file), StringComparison.Ordinal));
        Assert.All(files.Where(file => file.EndsWith(".cl", StringComparison.Ordinal)), file => Assert.Contains("kernel void", File.ReadAllText(file), StringComparison.Ordinal));
    }

    [Fact]
    public void PrintsTheTextWhereNoFolderIsNamed()
    {
        (int code, string output, _) = Run(Gelu, "--ptx", "sm_75");
        Assert.Equal(0, code);
        Assert.Contains(".target sm_75", output, StringComparison.Ordinal);
    }

    [Fact]
    public void TensorCoresAreWrittenForThoseThatHaveThem()
    {
        (int code, string output, _) = Run("TensorCoreGemm.Tiles(HalfNumbers, UprightSide, PlainPairs)", "--ptx", "SM_75", "--ptx", "SM_90", "--opencl");
        Assert.Equal(0, code);
        Assert.Contains("uses tensor cores, which SM_75 has not", output, StringComparison.Ordinal);
        Assert.Contains("uses tensor cores, which OpenCL has not", output, StringComparison.Ordinal);
        Assert.Contains("mma.sync.aligned.m16n8k16", output, StringComparison.Ordinal);
        Assert.DoesNotContain(".target sm_75", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("No kernel has 'nothing-like-it'", "nothing-like-it", "--opencl")]
    [InlineData("--ptx is SM_1", "--ptx", "SM_1")]
    [InlineData("--ptx is gfx90a", "--ptx", "gfx90a")]
    public void SaysWhatIsWrongWithTheInput(string expected, params string[] arguments)
    {
        (int code, string output, string error) = Run(arguments);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    private static (int Code, string Output, string Error) Run(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        int code = DumpCommand.Create(output, error).Parse(arguments).Invoke(new InvocationConfiguration { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }
}
