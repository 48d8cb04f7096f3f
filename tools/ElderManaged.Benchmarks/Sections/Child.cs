using System.Diagnostics;
using ElderManaged.Benchmarks.Measuring;
using ElderManaged.Benchmarks.Results;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>This program once more, with another environment, for one section.</summary>
internal static class Child
{
    /// <summary>The lines that the other process printed as JSON.</summary>
    public static List<Measurement> Measure(string variable, string value, string section, BenchmarkRun run)
    {
        string program = Environment.ProcessPath ?? throw new InvalidOperationException("The program cannot find its own file to start itself again.");
        ProcessStartInfo start = new(program) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(program).Equals("dotnet", StringComparison.OrdinalIgnoreCase))
        {
            start.ArgumentList.Add(typeof(Child).Assembly.Location);
        }

        foreach (string argument in (string[])["table", "--json", "--only", section, "--threads", string.Join(',', run.Options.Threads), .. run.Options.Quick ? ["--quick"] : Array.Empty<string>()])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment[variable] = value;
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
        using CancellationTokenRegistration stop = run.Cancellation.Register(() =>
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        });
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        run.Cancellation.ThrowIfCancellationRequested();
        return process.ExitCode == 0
            ? JsonList.Read(output)
            : throw new InvalidOperationException($"The measurement with {variable}={value} ended with exit code {process.ExitCode}.");
    }
}
