using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Testing;

/// <summary>A safetensors file of reference numbers, read by name.</summary>
public sealed class GoldenFile(params string[] path) : IDisposable
{
    private readonly SafetensorsFile file = SafetensorsFile.Open(SharedData.PathOf(path));

    /// <summary>The names of all tensors.</summary>
    public IEnumerable<string> Names => file.Entries.Keys;

    /// <summary>The sizes of a tensor.</summary>
    public int[] Shape(string name) => [.. file.Entries[name].Shape.Select(size => (int)size)];

    /// <summary>A float tensor, flat.</summary>
    public float[] Floats(string name)
    {
        float[] values = new float[file.Entries[name].ElementCount];
        file.ReadFloat32(name, values);
        return values;
    }

    /// <summary>An integer tensor, flat.</summary>
    public int[] Integers(string name)
    {
        long[] values = new long[file.Entries[name].ElementCount];
        file.ReadInt64(name, values);
        return [.. values.Select(value => checked((int)value))];
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}
