using ElderManaged.Models.Checkpoints;
using ElderManaged.Nn;

namespace ElderManaged.Editing.Baselines;

/// <summary>The file in which a baseline keeps its parameters: safetensors with its name and options in the metadata.</summary>
internal static class BaselineFile
{
    private const string FileName = "editor.safetensors";

    public static void Save(string folder, IPersistentEditor editor, IEnumerable<Parameter> parameters, long batches)
    {
        Directory.CreateDirectory(folder);
        SafetensorsWriter writer = new();
        writer.AddMetadata("method", editor.Name).AddMetadata("options", editor.OptionsJson);
        foreach (Parameter parameter in parameters)
        {
            writer.Add(parameter.Name, [parameter.Value.Shape[0], parameter.Value.Shape[1]], parameter.Value.Memory);
        }

        writer.AddInt64("batches", [], new[] { batches });
        writer.Save(Path.Combine(folder, FileName));
    }

    /// <summary>Reads every parameter, or throws and changes none; returns the number of batches learned.</summary>
    public static long Load(string folder, IPersistentEditor editor, IReadOnlyList<Parameter> parameters)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, FileName));
        Require(file, "method", editor.Name);
        Require(file, "options", editor.OptionsJson);
        float[][] values = new float[parameters.Count][];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = new float[parameters[i].Value.Length];
            file.ReadFloat32(parameters[i].Name, values[i]);
            if (values[i].AsSpan().IndexOfAnyExceptInRange(float.MinValue, float.MaxValue) >= 0)
            {
                throw new CheckpointException($"{file.Path}: the tensor {parameters[i].Name} holds values that are not finite; the file is damaged.");
            }
        }

        long[] batches = new long[1];
        file.ReadInt64("batches", batches);
        for (int i = 0; i < values.Length; i++)
        {
            values[i].CopyTo(parameters[i].Value.Span);
        }

        return batches[0];
    }

    private static void Require(SafetensorsFile file, string key, string expected)
    {
        if (!file.Metadata.TryGetValue(key, out string? found) || found != expected)
        {
            throw new CheckpointException($"{file.Path}: the {key} is {EditException.Quote(found ?? "missing")}, this editor's is {EditException.Quote(expected)}; open the state with the {key} it was made with.");
        }
    }
}
