using System.Diagnostics;

namespace ElderManaged.Evaluation.Harness;

/// <summary>How far one phase of an experiment has come.</summary>
/// <param name="Method">The method at work.</param>
/// <param name="Phase">What is being done, such as <c>editing</c>.</param>
/// <param name="Done">Items done.</param>
/// <param name="Total">Items of the phase.</param>
/// <param name="PerSecond">Items a second in this phase so far.</param>
/// <param name="Left">The time that the rest of the phase takes at this pace.</param>
public sealed record ExperimentProgress(string Method, string Phase, int Done, int Total, double PerSecond, TimeSpan Left);

/// <summary>Counts the items of a phase and reports pace and time left.</summary>
internal sealed class PhaseClock(IProgress<ExperimentProgress>? progress, string method, string phase, int total)
{
    private readonly Stopwatch watch = Stopwatch.StartNew();
    private int done;

    public void Advance(int items)
    {
        done += items;
        double pace = done / Math.Max(1e-6, watch.Elapsed.TotalSeconds);
        progress?.Report(new ExperimentProgress(method, phase, done, total, pace, TimeSpan.FromSeconds((total - done) / Math.Max(1e-6, pace))));
    }
}
