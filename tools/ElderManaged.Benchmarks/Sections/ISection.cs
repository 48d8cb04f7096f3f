using ElderManaged.Benchmarks.Measuring;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>A group of tables that can be asked for alone.</summary>
internal interface ISection
{
    /// <summary>The word for <c>--only</c>.</summary>
    string Name { get; }

    /// <summary>What it usually takes; its share of the ten minutes, too.</summary>
    TimeSpan Typical { get; }

    /// <summary>Measures everything.</summary>
    void Run(BenchmarkRun run);
}
