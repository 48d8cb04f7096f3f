using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Commands;

/// <summary>The program and the machine it runs on, as <c>elder doctor</c> tells of them.</summary>
internal sealed record DoctorFindings
{
    private const string SimdVariable = "ELDER_SIMD";

    // What the variable may say, and what is meant by it.
    private static readonly (string Name, SimdLevel Level)[] SimdNames =
    [
        ("avx512", SimdLevel.Vector512), ("avx2", SimdLevel.Vector256), ("vector128", SimdLevel.Vector128), ("scalar", SimdLevel.Scalar),
    ];

    public required string Version { get; init; }

    public required string Runtime { get; init; }

    /// <summary>Whether this is a NativeAOT program.</summary>
    public required bool CompiledAhead { get; init; }

    public required bool DynamicCode { get; init; }

    public required string System { get; init; }

    public required string Architecture { get; init; }

    /// <summary>What the process may use: the machine's memory, or less in a container with a limit.</summary>
    public required long MemoryBytes { get; init; }

    public required int Threads { get; init; }

    public required int Processors { get; init; }

    public required SimdLevel Simd { get; init; }

    public required SimdLevel WidestSimd { get; init; }

    /// <summary>What <c>ELDER_SIMD</c> says; null where it is not set.</summary>
    public required string? SimdOverride { get; init; }

    /// <summary>What is worth knowing about the vector width and the environment's wishes, one sentence each.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    public static DoctorFindings OfThisMachine()
    {
        string? wanted = Environment.GetEnvironmentVariable(SimdVariable);
        bool ahead = !RuntimeFeature.IsDynamicCodeCompiled;
        return new DoctorFindings
        {
            Version = typeof(Program).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown",
            Runtime = RuntimeInformation.FrameworkDescription,
            CompiledAhead = ahead,
            DynamicCode = RuntimeFeature.IsDynamicCodeSupported,
            System = RuntimeInformation.OSDescription,
            Architecture = RuntimeInformation.ProcessArchitecture.ToString(),
            MemoryBytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            Threads = CpuThreads.Count,
            Processors = Environment.ProcessorCount,
            Simd = Tensors.Simd.Level,
            WidestSimd = Tensors.Simd.Best,
            SimdOverride = wanted,
            Notes = [.. NotesOn(wanted, Tensors.Simd.Best, ahead), .. NotesOnTuning(Environment.GetEnvironmentVariable(DeviceTuning.Variable))],
        };
    }

    /// <summary>What to say about what <c>ELDER_TUNE</c> says; nothing where it is not set.</summary>
    internal static IEnumerable<string> NotesOnTuning(string? wanted)
    {
        if (!string.IsNullOrWhiteSpace(wanted))
        {
            bool known = wanted.Trim().Equals("off", StringComparison.OrdinalIgnoreCase);
            yield return $"{DeviceTuning.Variable}={wanted} {(known ? "is followed." : "is not known and changes nothing; it may be off.")}";
        }
    }

    /// <summary>What to say about a wish for a width and the width there is.</summary>
    /// <param name="wanted">What the variable says; null where it is not set.</param>
    /// <param name="widest">The widest level of this program on this machine.</param>
    /// <param name="compiledAhead">Whether that was settled when the program was compiled.</param>
    internal static IEnumerable<string> NotesOn(string? wanted, SimdLevel widest, bool compiledAhead)
    {
        int known = Array.FindIndex(SimdNames, s => s.Name.Equals(wanted?.Trim(), StringComparison.OrdinalIgnoreCase));
        if (!string.IsNullOrWhiteSpace(wanted))
        {
            yield return known < 0
                ? $"{SimdVariable}={wanted} is not known and changes nothing; it may be {string.Join(", ", SimdNames.Select(s => s.Name))}."
                : SimdNames[known].Level > widest
                    ? $"{SimdVariable}={wanted} asks for more than there is and changes nothing."
                    : $"{SimdVariable}={wanted} is followed.";
        }

        if (compiledAhead)
        {
            yield return "The width was settled when this program was compiled; one compiled with -p:IlcInstructionSet=native takes all that its machine has.";
        }

        if (widest < SimdLevel.Vector256)
        {
            yield return "Without AVX2 and FMA, computing is tens of times slower.";
        }
    }
}
