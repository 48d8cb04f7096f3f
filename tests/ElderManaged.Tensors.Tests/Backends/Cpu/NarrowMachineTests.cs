using System.Diagnostics;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Text.RegularExpressions;

namespace ElderManaged.Tensors.Tests.Backends.Cpu;

/// <summary>
/// Kernels written in <see cref="Vector512{T}"/> are split by the runtime where registers are narrower, which no setting of ours can force
/// here: so the tests of all ops against their plain twins run again in processes whose runtime is told that the processor has less.
/// </summary>
public sealed class NarrowMachineTests
{
    private const string NoIntrinsics = "DOTNET_EnableHWIntrinsic", NoAvx2 = "DOTNET_EnableAVX2", NoAvx512 = "DOTNET_EnableAVX512";

    public static TheoryData<string> Settings => Simd.Best switch
    {
        SimdLevel.Vector512 => [NoAvx512, NoAvx2, NoIntrinsics],
        SimdLevel.Vector256 => [NoAvx2, NoIntrinsics],
        _ => [NoIntrinsics],
    };

    [Theory]
    [MemberData(nameof(Settings))]
    public async Task All_ops_agree_with_their_twins_on_a_processor_that_has_less(string switchedOff)
    {
        ProcessStartInfo start = new(
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            ["vstest", typeof(NarrowMachineTests).Assembly.Location, $"--TestCaseFilter:FullyQualifiedName~ValueAndGradients|FullyQualifiedName~{nameof(The_width_in_use_is_what_the_processor_has)}"])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        };

        // The process that runs these tests leaves variables that another one would take for its own.
        foreach (string name in start.Environment.Keys.Where(n => n.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) || n.StartsWith("VSTEST", StringComparison.OrdinalIgnoreCase)).ToArray())
        {
            start.Environment.Remove(name);
        }

        start.Environment[switchedOff] = "0";
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync() + await errors;
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"With {switchedOff}=0:\n{output}");
        Match passed = Regex.Match(output, @"Passed\S*\s+(\d+)");
        Assert.True(passed.Success && int.Parse(passed.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture) >= 20, $"Too few tests ran:\n{output}");
    }

    [Fact]
    public void The_width_in_use_is_what_the_processor_has()
    {
        SimdLevel expected = Avx512F.IsSupported ? SimdLevel.Vector512
            : Avx2.IsSupported && Fma.IsSupported ? SimdLevel.Vector256
            : Vector128.IsHardwareAccelerated ? SimdLevel.Vector128
            : SimdLevel.Scalar;
        SimdLevel most = IsOff(NoIntrinsics) ? SimdLevel.Scalar
            : IsOff(NoAvx2) ? SimdLevel.Vector128
            : IsOff(NoAvx512) ? SimdLevel.Vector256
            : SimdLevel.Vector512;
        Assert.Equal(expected, Simd.Best);
        Assert.True(Simd.Best <= most, $"The runtime was told of {most} at most, but {Simd.Best} is used.");
    }

    private static bool IsOff(string setting) => Environment.GetEnvironmentVariable(setting) == "0";
}
