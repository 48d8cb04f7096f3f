using System.Diagnostics;
using System.Text;
using ElderManaged.Testing;

namespace ElderManaged.Cli.Tests.NativeAot;

/// <summary>The command line compiled ahead of time, with the README's command; made by the first test that asks for it.</summary>
public sealed class NativeProgram
{
    private const int MinutesToPublish = 15, MinutesToRun = 10;
    private readonly Lazy<(int Code, string Log)> published = new(Publish);

    /// <summary>What the publish printed.</summary>
    public string Log => published.Value.Log;

    /// <summary>How the publish ended.</summary>
    public int Code => published.Value.Code;

    /// <summary>The folder with the program.</summary>
    public static string Folder { get; } = Path.Combine(SharedData.RequireRepository(), "artifacts", "native-aot");

    /// <summary>The program, published.</summary>
    public string Executable => Code == 0 ? Path.Combine(Folder, "elder") : throw new InvalidOperationException($"The publish failed:\n{Log}");

    /// <summary>Runs the program to its end.</summary>
    internal Outcome Run(params string[] arguments) => Run(Executable, arguments, MinutesToRun);

    private static (int Code, string Log) Publish()
    {
        string root = SharedData.RequireRepository();

        // Objects of its own: the folders of the ordinary build are in use by the tests that run beside this one.
        Outcome outcome = Run(
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            [
                "publish", "-c", "Release", "-r", "linux-x64", "-p:PublishAot=true", Path.Combine(root, "src", "ElderManaged.Cli"), "-o", Folder,
                "--artifacts-path", Path.Combine(root, "artifacts", "native-aot-objects"), "--disable-build-servers", "-nodeReuse:false",
            ],
            MinutesToPublish);
        return (outcome.Code, outcome.Out + outcome.Error);
    }

    private static Outcome Run(string program, IReadOnlyList<string> arguments, int minutes)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, WorkingDirectory = SharedData.RequireRepository(),
        };

        // The build that started these tests leaves variables that another build would take for its own; ELDER_SIMD is for the tests themselves.
        foreach (string name in start.Environment.Keys.Where(n => n.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) || n == "ELDER_SIMD").ToArray())
        {
            start.Environment.Remove(name);
        }

        using Process process = Process.Start(start)!;
        StringBuilder output = new(), error = new();
        process.OutputDataReceived += (_, line) => Append(output, line.Data);
        process.ErrorDataReceived += (_, line) => Append(error, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (!process.WaitForExit(TimeSpan.FromMinutes(minutes)))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} did not end within {minutes} minutes:\n{output}{error}");
        }

        process.WaitForExit(); // until the last lines are read
        return new Outcome(process.ExitCode, output.ToString(), error.ToString());
    }

    private static void Append(StringBuilder text, string? line)
    {
        if (line is not null)
        {
            lock (text)
            {
                text.AppendLine(line);
            }
        }
    }
}
