using System.Text.Json;
using ElderManaged.Tensors.Storage;

namespace ElderManaged.Tensors;

/// <summary>
/// The choices of <see cref="GpuTuner"/> for the devices of this machine, in one small file. It can be removed at any time; one
/// that cannot be read is passed over with a note, and written anew.
/// </summary>
/// <remarks>
/// <code>
/// { "kernels": "…",                                      which build of the kernels was measured
///   "devices": { "NVIDIA H200, CUDA driver 12.8": { "dense nt 7 12 12 0": "128x64", … } } }
/// </code>
/// Choices of other kernels are no choices. What another process has written meanwhile is kept.
/// </remarks>
/// <param name="path">Where it lies, or will lie.</param>
/// <param name="kernels">Which kernels these are.</param>
/// <param name="say">Is told when the file cannot be read or written, in one sentence each, once.</param>
internal sealed class GpuTuneFile(string path, string kernels, Action<string>? say) : IGpuChoices
{
    private Dictionary<string, Dictionary<string, string>>? devices;
    private bool noted;

    /// <summary>The file of this machine and this build.</summary>
    public static GpuTuneFile OfThisMachine(Action<string>? say) =>
        new(Path.Combine(ElderHome.Folder, "gpu-tuning.json"), typeof(GpuTuneFile).Module.ModuleVersionId.ToString("N"), say);

    /// <inheritdoc/>
    public string? Find(string device, string key) =>
        (devices ??= Read()).TryGetValue(device, out Dictionary<string, string>? choices) && choices.TryGetValue(key, out string? choice) ? choice : null;

    /// <inheritdoc/>
    public void Keep(string device, string key, string choice)
    {
        devices = Read();
        if (!devices.TryGetValue(device, out Dictionary<string, string>? choices))
        {
            devices[device] = choices = [];
        }

        choices[key] = choice;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            AtomicFile.Write(path, Write);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Note($"What was measured of the GPU's kernels cannot be kept in {path} ({failure.Message}), so it will be measured again; set ELDER_HOME to a folder that can be written.");
        }
    }

    private Dictionary<string, Dictionary<string, string>> Read()
    {
        Dictionary<string, Dictionary<string, string>> found = [];
        try
        {
            if (!File.Exists(path))
            {
                return devices ?? found;
            }

            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(path));
            if (json.RootElement.GetProperty("kernels").GetString() != kernels)
            {
                return devices ?? found;
            }

            foreach (JsonProperty device in json.RootElement.GetProperty("devices").EnumerateObject())
            {
                found[device.Name] = device.Value.EnumerateObject().ToDictionary(choice => choice.Name, choice => choice.Value.GetString() ?? "");
            }

            return found;
        }
        catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            Note($"{path} cannot be read ({failure.Message}), so the GPU's kernels are measured again.");
            return devices ?? [];
        }
    }

    private void Write(Stream stream)
    {
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteString("kernels", kernels);
        json.WriteStartObject("devices");
        foreach ((string device, Dictionary<string, string> choices) in devices!)
        {
            json.WriteStartObject(device);
            foreach ((string key, string choice) in choices)
            {
                json.WriteString(key, choice);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private void Note(string sentence)
    {
        if (!noted)
        {
            noted = true;
            say?.Invoke(sentence);
        }
    }
}
