using System.Diagnostics;
using System.Text.Json;
using ElderManaged.Benchmarks.Measuring;
using ElderManaged.Benchmarks.Results;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>Other processes that measure: this program in another environment, and <c>elder bench</c> as users run it.</summary>
internal static class Child
{
    /// <summary>The lines that this program prints as JSON when an environment variable has another value.</summary>
    public static List<Measurement> Measure(string variable, string value, string section, BenchmarkRun run)
    {
        string program = Environment.ProcessPath ?? throw new InvalidOperationException("The program cannot find its own file to start itself again.");
        bool byHost = Path.GetFileNameWithoutExtension(program).Equals("dotnet", StringComparison.OrdinalIgnoreCase);
        string[] arguments =
        [
            .. byHost ? [typeof(Child).Assembly.Location] : Array.Empty<string>(),
            "table", "--json", "--only", section, "--threads", string.Join(',', run.Options.Threads),
            .. run.Options.Quick ? ["--quick"] : Array.Empty<string>(),
        ];
        ProcessStartInfo start = new(program, arguments);
        start.Environment[variable] = value;
        return JsonList.Read(Output(start, run.Cancellation));
    }

    /// <summary>What <c>elder bench …</c> prints as JSON, object after object, each as soon as it is there.</summary>
    public static void ElderBench(BenchmarkRun run, string[] arguments, Action<JsonElement> measured)
    {
        // The command line lies beside this program, which refers to it.
        string program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "elder.exe" : "elder");
        ProcessStartInfo start = new(program, ["bench", .. arguments, "--threads", string.Join(',', run.Options.Threads), "--json"]);
        Read(start, ReadLines, run.Cancellation);

        void ReadLines(StreamReader output)
        {
            while (output.ReadLine() is { } line)
            {
                using JsonDocument json = JsonDocument.Parse(line);
                measured(json.RootElement);
            }
        }
    }

    private static string Output(ProcessStartInfo start, CancellationToken cancellation)
    {
        string all = "";
        Read(start, output => all = output.ReadToEnd(), cancellation);
        return all;
    }

    private static void Read(ProcessStartInfo start, Action<StreamReader> read, CancellationToken cancellation)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start.");
        using CancellationTokenRegistration stop = cancellation.Register(() =>
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        });
        Task<string> complaints = process.StandardError.ReadToEndAsync(CancellationToken.None);
        read(process.StandardOutput);
        process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        if (process.ExitCode != 0)
        {
            throw new ChildFailedException($"{Path.GetFileName(start.FileName)} {string.Join(' ', start.ArgumentList)} ended with exit code {process.ExitCode}: {complaints.Result.Trim().Split('\n')[^1]}");
        }
    }
}

/// <summary>Another process could not measure; the tables go on without it.</summary>
internal sealed class ChildFailedException(string message) : Exception(message);
