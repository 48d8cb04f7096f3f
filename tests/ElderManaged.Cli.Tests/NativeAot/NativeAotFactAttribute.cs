using System.Runtime.InteropServices;

namespace ElderManaged.Cli.Tests.NativeAot;

/// <summary>A test of the program compiled ahead of time; it is skipped, with what is missing in the reason, where that cannot be made.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NativeAotFactAttribute : FactAttribute
{
    // NativeAOT links with the first of these that there is.
    private static readonly string[] Linkers = ["clang", "gcc"];

    public NativeAotFactAttribute() => Skip = Missing();

    private static string? Missing()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            return "needs Linux on x64, for which the program is compiled here";
        }

        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return folders.Any(folder => Linkers.Any(linker => File.Exists(Path.Combine(folder, linker))))
            ? null
            : $"needs {string.Join(" or ", Linkers)} in PATH to link (Debian: apt-get install clang zlib1g-dev)";
    }
}
