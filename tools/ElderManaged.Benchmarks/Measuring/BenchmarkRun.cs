using System.Diagnostics;
using System.Globalization;
using ElderManaged.Benchmarks.Results;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Measuring;

/// <summary>What was asked for on the command line.</summary>
/// <param name="Threads">The numbers of threads to measure with.</param>
/// <param name="Quick">Fewer cases and samples.</param>
internal sealed record BenchmarkOptions(IReadOnlyList<int> Threads, bool Quick);

/// <summary>
/// One run of the benchmark: its limits in time, its results so far, its progress. A section that is out of time leaves its
/// remaining cases out, and says so below its table.
/// </summary>
internal sealed class BenchmarkRun(BenchmarkOptions options, Machine machine, Sampler sampler, TextWriter progress, bool onScreen, CancellationToken cancellation)
{
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly Stopwatch sinceLine = Stopwatch.StartNew();
    private TimeSpan sectionStart, deadline, later;
    private string section = "";
    private int expected, done;

    public BenchmarkOptions Options => options;

    public Machine Machine => machine;

    public Sampler Sampler => sampler;

    public CancellationToken Cancellation => cancellation;

    public List<ResultTable> Tables { get; } = [];

    /// <summary>Begins a section.</summary>
    /// <param name="name">For the progress line.</param>
    /// <param name="end">When it must be over, counted from the start of the run.</param>
    /// <param name="afterwards">What the sections after it will take.</param>
    public void Begin(string name, TimeSpan end, TimeSpan afterwards)
    {
        (section, sectionStart, deadline, later, expected, done) = (name, clock.Elapsed, end, afterwards, 0, 0);
    }

    /// <summary>Says how many more measurements are coming, so that the time left can be told.</summary>
    public void Expect(int measurements) => expected += measurements;

    public ResultTable Table(string title, string explanation, string peer)
    {
        ResultTable table = new(title, explanation, peer);
        Tables.Add(table);
        return table;
    }

    /// <summary>Times ours against the peer and adds the line; both sides do the same <paramref name="work"/>.</summary>
    /// <param name="table">Where the line goes.</param>
    /// <param name="line">Name, threads, kind, bar, and the unit of the speeds; its numbers are filled in here.</param>
    /// <param name="work">How much of the unit one call does: bytes in GB for GB/s.</param>
    /// <param name="ours">Our side.</param>
    /// <param name="peer">The other side.</param>
    public void Measure(ResultTable table, Measurement line, double work, Action ours, Action peer)
    {
        if (!Due(table))
        {
            return;
        }

        CpuThreads.Count = line.Threads;
        (double ourTime, double peerTime) = sampler.Seconds(line.Kind, ours, peer);
        Add(table, line with { Ours = work / ourTime, Peer = work / peerTime });
    }

    /// <summary>Adds a line that is measured already.</summary>
    public void Add(ResultTable table, Measurement line)
    {
        table.Lines.Add(line);
        done++;
        Progress(line);
    }

    /// <summary>Whether there is time for one more measurement; if not, the table gets a note.</summary>
    public bool Due(ResultTable table)
    {
        cancellation.ThrowIfCancellationRequested();
        if (clock.Elapsed < deadline)
        {
            return true;
        }

        const string Note = "Some cases were left out because their time was over; run this table alone with `--only`.";
        if (!table.Notes.Contains(Note))
        {
            table.Notes.Add(Note);
        }

        return false;
    }

    private void Progress(Measurement line)
    {
        if (!onScreen && done < expected && sinceLine.Elapsed < TimeSpan.FromSeconds(5))
        {
            return;
        }

        sinceLine.Restart();
        TimeSpan left = later + ((clock.Elapsed - sectionStart) / done * Math.Max(0, expected - done));
        string text = string.Create(CultureInfo.InvariantCulture, $"{section} {done}/{Math.Max(done, expected)}: {line.Name}, {line.Threads} threads, ratio {line.Ratio:0.00}; about {(int)left.TotalMinutes}:{left.Seconds:00} left");
        if (onScreen)
        {
            progress.Write($"\r\u001b[2K{text}");
        }
        else
        {
            progress.WriteLine(text);
        }
    }
}
