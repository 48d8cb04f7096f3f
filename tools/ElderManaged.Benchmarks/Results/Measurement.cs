namespace ElderManaged.Benchmarks.Results;

/// <summary>One line of a table. Ours and peer are speeds in the same unit, so a larger ratio is always better for us.</summary>
/// <param name="Name">What was computed, with its sizes.</param>
/// <param name="Threads">Threads that each side had.</param>
/// <param name="Ours">Our speed, the median of the samples.</param>
/// <param name="Peer">The peer's speed, or the limit of the machine, measured between our samples.</param>
/// <param name="Unit">Of both speeds.</param>
internal sealed record Measurement(string Name, int Threads, double Ours, double Peer, string Unit)
{
    /// <summary>Ours divided by the peer's; 1 is as fast, 2 twice as fast.</summary>
    public double Ratio => Ours / Peer;

    /// <summary>The least ratio that was set as a goal, or none.</summary>
    public double? Bar { get; init; }

    /// <summary>What is summed up together in the README: lines of one kind with one bar.</summary>
    public string Kind { get; init; } = "";

    /// <summary>Whether the ratio, to the two digits that are printed, is at least the bar; null without a bar.</summary>
    public bool? Reached => Bar is { } bar ? Math.Round(Ratio, 2) >= bar : null;
}

/// <summary>A table as it is printed: a heading, what is compared with what, and the lines.</summary>
/// <param name="Title">The heading.</param>
/// <param name="Explanation">Ours, peer and bar in one or two sentences.</param>
/// <param name="Peer">The head of the peer's column.</param>
internal sealed record ResultTable(string Title, string Explanation, string Peer)
{
    public List<Measurement> Lines { get; } = [];

    /// <summary>Remarks below the table: what was left out and why.</summary>
    public List<string> Notes { get; } = [];
}
