using System.CommandLine;
using ElderManaged.Editing;
using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Hub;
using ElderManaged.Tensors;

namespace ElderManaged.Cli;

/// <summary>Options that several commands share, and the checks of their values.</summary>
internal static class Inputs
{
    private const string DefaultModel = "weights/elder-tiny";
    private const int MostThreads = 256;

    public static Option<string> Model() => new("--model")
    {
        Description = "The base model: a Hugging Face folder, a .safetensors, .gguf or llama2.c .bin file, or the name of a pulled model.", DefaultValueFactory = _ => DefaultModel,
    };

    public static Option<bool> Json() => new("--json") { Description = "Print one JSON object and nothing else." };

    public static Option<ulong> Seed() => new("--seed") { Description = "Seed of everything random.", DefaultValueFactory = _ => 1UL };

    public static Option<int> Threads() => new("--threads")
    {
        Description = "Threads to compute with; the results do not depend on it.", DefaultValueFactory = _ => Environment.ProcessorCount,
    };

    public static Option<string> Device() => new("--device")
    {
        Description = $"Where to compute: {DeviceKinds.Auto} (the best GPU that will do, else the processor), {DeviceKinds.Cpu}, {DeviceKinds.Cuda} or {DeviceKinds.OpenCL}.",
        DefaultValueFactory = _ => DeviceKinds.Auto,
    };

    public static Option<bool> TensorCores() => new("--tensor-cores")
    {
        Description = "Multiply by weights that are not float32 on the tensor cores of an NVIDIA GPU (SM_80 or later), which rounds activations to 16 bits.",
    };

    /// <summary>
    /// Opens a device. Which GPU <c>auto</c> takes is said on standard error, and so is that it falls back to the processor though
    /// there is a GPU; where there is none, nothing is said. Where tensor cores were asked for, it is said whether they are used.
    /// </summary>
    public static Device OpenDevice(string name, bool tensorCores, Terminal terminal)
    {
        string? said = null;
        Device device;
        try
        {
            device = Tensors.Device.Open(name, new DeviceOptions { TensorCores = tensorCores }, text => said = text);
        }
        catch (Exception exception) when (exception is DeviceException or ArgumentException)
        {
            throw new UsageException($"--device is {name}. {exception.Message}");
        }

        if (said is not null && (device != Tensors.Device.Cpu || DeviceCatalog.Discover().Any(report => report.Kind != DeviceKinds.Cpu && report.NotForAuto is null)))
        {
            terminal.Complain(said);
        }

        if (tensorCores)
        {
            string detail = device.Report.Details.FirstOrDefault(detail => detail.Name == DeviceReport.TensorCores).Value ?? "not used: the processor has none";
            terminal.Complain($"Tensor cores: {detail}.");
        }

        return device;
    }

    public static void UseThreads(int threads) => CpuThreads.Count = CheckThreads(threads);

    public static int CheckThreads(int threads) => InRange("--threads", threads, 1, MostThreads);

    public static int InRange(string option, int value, int least, int most) => value >= least && value <= most
        ? value
        : throw new UsageException(most == int.MaxValue
            ? $"{option} is {value}; it must be at least {least}."
            : $"{option} is {value}; it must be from {least} to {most}.");

    public static string OneOf(string option, string value, IReadOnlyList<string> known) => known.Contains(value)
        ? value
        : throw new UsageException($"{option} is '{value}'; it must be one of {string.Join(", ", known)}.");

    /// <summary>
    /// A model folder or file as it was given, or that of a pulled model of this name; if there is none, the same path below
    /// the folders above this one and above the program, so that the models of a clone are found from anywhere in it.
    /// </summary>
    public static string FindModel(string folder)
    {
        if (Path.Exists(folder) || Path.IsPathRooted(folder))
        {
            return folder;
        }

        if (ModelCache.Find(folder, HubOptions.FromEnvironment().Home) is string pulled)
        {
            return pulled;
        }

        foreach (string start in (string[])[Directory.GetCurrentDirectory(), AppContext.BaseDirectory])
        {
            for (DirectoryInfo? above = new(start); above is not null; above = above.Parent)
            {
                string candidate = Path.Combine(above.FullName, folder);
                if (Path.Exists(candidate))
                {
                    return candidate;
                }
            }
        }

        throw new CheckpointException($"There is no model {folder}, here or in a folder above, and none of this name to pull; name the one to use with --model.");
    }

    /// <summary>Loads a model; on a screen, a line shows how far it is.</summary>
    public static ElderModel LoadModel(string folder, Terminal terminal, Device device, bool silent = false) =>
        LoadModel(folder, terminal, device, silent, out _);

    /// <summary>Loads a model to open or begin a saved state with it, which refers to it by its digest: that of large files takes as long again, the first time.</summary>
    public static ElderModel LoadModelOfState(string folder, Terminal terminal, Device device, bool silent, CancellationToken cancellationToken)
    {
        ElderModel model = LoadModel(folder, terminal, device, silent, out long? shown);
        using LoadLine? line = shown is { } bytes ? new(terminal, "Checking", bytes) : null;
        model.Identify(Path.Combine(HubOptions.FromEnvironment().Home, "digests"), line, cancellationToken);
        return model;
    }

    // The bytes of the weights, where somebody looks on.
    private static ElderModel LoadModel(string folder, Terminal terminal, Device device, bool silent, out long? shown)
    {
        string path = FindModel(folder);
        shown = null;
        if (!silent && terminal.ErrorIsScreen)
        {
            using Checkpoint checkpoint = Checkpoint.Open(path);
            shown = checkpoint.Entries.Values.Sum(entry => entry.ByteCount);
        }

        using LoadLine? line = shown is { } bytes ? new(terminal, "Loading", bytes) : null;
        return ElderModel.Load(path, new LoadOptions { Device = device, Progress = line });
    }
}
