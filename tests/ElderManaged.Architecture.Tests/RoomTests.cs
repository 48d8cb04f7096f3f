using System.Reflection;
using System.Runtime.InteropServices;
using ElderManaged.Testing;

namespace ElderManaged.Architecture.Tests;

/// <summary>The house has one arrow, Tensors ← Nn ← Models ← Editing ← Evaluation ← Cli, and no native library in it.</summary>
public sealed class RoomTests
{
    // From left to right, with the packages that each room may use.
    private static readonly (Assembly Room, string[] Packages)[] House =
    [
        (typeof(Tensors.Tensor).Assembly, ["System.Numerics.Tensors", "ILGPU", "ILGPU.Algorithms"]),
        (typeof(Nn.Parameter).Assembly, ["System.Numerics.Tensors"]),
        (typeof(Models.TransformerModel).Assembly, ["System.Numerics.Tensors"]),
        (typeof(Editing.IModelEditor).Assembly, ["System.Numerics.Tensors"]),
        (typeof(Evaluation.Datasets.EditDataset).Assembly, ["System.Numerics.Tensors"]),
        (typeof(Cli.Program).Assembly, ["System.CommandLine", "Spectre.Console", "Spectre.Console.Ansi"]),
    ];

    public static TheoryData<int> Rooms => [.. Enumerable.Range(0, House.Length)];

    [Theory]
    [MemberData(nameof(Rooms))]
    public void ARoomKnowsOnlyRoomsToItsLeft(int room)
    {
        string[] left = [.. House.Take(room).Select(r => r.Room.GetName().Name!)];
        Assert.All(
            House[room].Room.GetReferencedAssemblies().Where(a => IsRoom(a.Name!)),
            reference => Assert.Contains(reference.Name, left));
    }

    [Theory]
    [MemberData(nameof(Rooms))]
    public void ARoomUsesOnlyThePackagesItIsAllowed(int room) => Assert.All(
        House[room].Room.GetReferencedAssemblies().Select(a => a.Name!).Where(name => !IsRoom(name) && !IsFramework(name)),
        name => Assert.Contains(name, House[room].Packages));

    // Two system calls that .NET has no other way to. One reads large files past the system's cache, one asks for huge pages; where they fail
    // files are read through it, and pages are small.
    [Theory]
    [MemberData(nameof(Rooms))]
    public void NoMethodCallsNativeCodeButTwoSystemCalls(int room)
    {
        const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;
        MethodInfo[] native = [.. House[room].Room.GetTypes().SelectMany(t => t.GetMethods(All)).Where(m => m.Attributes.HasFlag(MethodAttributes.PinvokeImpl))];
        (Type Room, string Type, string Call)[] allowed = [(typeof(Models.TransformerModel), "UncachedFile", "fcntl"), (typeof(Tensors.Tensor), "HugePages", "madvise")];
        native = [.. native.Where(m => !allowed.Any(a =>
            a.Room.Assembly == House[room].Room && a.Type == m.DeclaringType!.Name && m.GetCustomAttribute<DllImportAttribute>() is { Value: "libc" } import && import.EntryPoint == a.Call))];
        Assert.Empty(native.Select(m => $"{m.DeclaringType}.{m.Name}"));
    }

    [Fact]
    public void ProjectFilesFollowTheArrowToo()
    {
        // The compiler drops references that no code uses yet; the project file still shows the intention.
        string[] rooms = [.. House.Select(r => ProjectOf(r.Room))];
        for (int i = 0; i < rooms.Length; i++)
        {
            string project = File.ReadAllText(Path.Combine(SharedData.RequireRepository(), "src", rooms[i], $"{rooms[i]}.csproj"));
            Assert.All(rooms.Skip(i), right => Assert.DoesNotContain($"/{right}.csproj", project, StringComparison.Ordinal));
            Assert.DoesNotContain("xunit", project, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("FsCheck", project, StringComparison.OrdinalIgnoreCase);
        }

        string[] folders = [.. Directory.GetDirectories(Path.Combine(SharedData.RequireRepository(), "src")).Select(d => Path.GetFileName(d)!)];
        Assert.Equal(rooms.Order(StringComparer.Ordinal), folders.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void OnlyTheBenchmarksKnowANativePeer()
    {
        // ONNX Runtime and BenchmarkDotNet are for measuring: nothing that ships may bring them along, not even through another package.
        string[] peers = ["Microsoft.ML.OnnxRuntime", "BenchmarkDotNet"];
        string root = SharedData.RequireRepository();
        foreach (string folder in Directory.GetDirectories(Path.Combine(root, "src")))
        {
            string room = Path.GetFileName(folder);
            string project = File.ReadAllText(Path.Combine(folder, $"{room}.csproj"));
            Assert.All(peers, peer => Assert.DoesNotContain(peer, project, StringComparison.OrdinalIgnoreCase));
            Assert.DoesNotContain("ElderManaged.Benchmarks", project, StringComparison.Ordinal);

            // What a restore found, packages of packages included: the keys are names, a slash, and versions.
            string restored = File.ReadAllText(Path.Combine(folder, "obj", "project.assets.json"));
            Assert.All(peers, peer => Assert.DoesNotContain($"\"{peer}/", restored, StringComparison.OrdinalIgnoreCase));
        }

        string[] users =
        [
            .. Directory.EnumerateFiles(root, "*.csproj", SearchOption.AllDirectories)
                .Where(p => peers.Any(peer => File.ReadAllText(p).Contains($"\"{peer}\"", StringComparison.Ordinal))).Select(p => Path.GetFileNameWithoutExtension(p)),
        ];
        Assert.Equal(["ElderManaged.Benchmarks"], users);
    }

    private static string ProjectOf(Assembly room) => room.GetName().Name == "elder" ? "ElderManaged.Cli" : room.GetName().Name!;

    private static bool IsRoom(string assembly) => assembly.StartsWith("ElderManaged.", StringComparison.Ordinal) || assembly == "elder";

    private static bool IsFramework(string assembly) =>
        File.Exists(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, assembly + ".dll"));
}
