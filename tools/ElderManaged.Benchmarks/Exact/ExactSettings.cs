using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace ElderManaged.Benchmarks.Exact;

/// <summary>BenchmarkDotNet in this process: nothing is built or restored again, and it works without a network.</summary>
internal static class ExactSettings
{
    public static IConfig InThisProcess { get; } =
        DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
}
