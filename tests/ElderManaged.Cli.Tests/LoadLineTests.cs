namespace ElderManaged.Cli.Tests;

public sealed class LoadLineTests
{
    [Fact]
    public void TellsSpeedAndTimeLeft() => Assert.EndsWith(
        "Loading 1.50 of 13.50 GB, 0.10 GB/s, 2:00 left", LoadLine.Text("Loading", 1_500_000_000, 13_500_000_000, TimeSpan.FromSeconds(15)), StringComparison.Ordinal);

    [Fact]
    public void WhatLoadsAtOnceShowsNothing()
    {
        using StringWriter error = new();
        using (LoadLine line = new(new Terminal(TextWriter.Null, error, OutIsScreen: false, ErrorIsScreen: true), "Loading", 100))
        {
            line.Report(50);
        }

        Assert.Empty(error.ToString());
    }
}
