using System.Collections.Concurrent;

namespace ElderManaged.Tensors;

/// <summary>
/// cos and sin of position · θ^(−2i/d) for i below d/2, computed in double precision and rounded once. One table for each
/// head width and θ, kept for the life of the process and replaced by a longer one when a later position is asked for.
/// </summary>
internal sealed class RopeTable
{
    private static readonly ConcurrentDictionary<(int HeadWidth, float Theta), RopeTable> Tables = new();
    private static readonly Lock Growth = new();
    private readonly ConcurrentDictionary<Device, (DeviceMemory Cos, DeviceMemory Sin)> copies = new();

    private RopeTable(int headWidth, float theta, int positions)
    {
        int half = headWidth / 2;
        Positions = positions;
        Cos = new FloatBuffer(positions * half, zeroed: false);
        Sin = new FloatBuffer(positions * half, zeroed: false);
        Span<float> cos = Cos.Span(0, positions * half);
        Span<float> sin = Sin.Span(0, positions * half);
        for (int i = 0; i < half; i++)
        {
            double frequency = Math.Pow(theta, -2.0 * i / headWidth);
            for (int position = 0; position < positions; position++)
            {
                (double s, double c) = Math.SinCos(position * frequency);
                cos[(position * half) + i] = (float)c;
                sin[(position * half) + i] = (float)s;
            }
        }

        PairCos = new FloatBuffer(positions * headWidth, zeroed: false);
        PairSin = new FloatBuffer(positions * headWidth, zeroed: false);
        Span<float> pairCos = PairCos.Span(0, positions * headWidth);
        Span<float> pairSin = PairSin.Span(0, positions * headWidth);
        for (int i = 0; i < cos.Length; i++)
        {
            pairCos[2 * i] = pairCos[(2 * i) + 1] = cos[i];
            pairSin[2 * i] = -sin[i];
            pairSin[(2 * i) + 1] = sin[i];
        }
    }

    /// <summary>How many positions the table holds.</summary>
    public int Positions { get; }

    /// <summary>[positions, d/2].</summary>
    public FloatBuffer Cos { get; }

    /// <summary>[positions, d/2].</summary>
    public FloatBuffer Sin { get; }

    /// <summary>For interleaved pairs [positions, d]: each cos twice.</summary>
    public FloatBuffer PairCos { get; }

    /// <summary>For interleaved pairs [positions, d]: each sin twice, at first with the opposite sign.</summary>
    public FloatBuffer PairSin { get; }

    /// <summary><see cref="Cos"/> and <see cref="Sin"/> in a device's memory, brought there once.</summary>
    public (DeviceMemory Cos, DeviceMemory Sin) On(Device device)
    {
        if (copies.TryGetValue(device, out (DeviceMemory Cos, DeviceMemory Sin) copy))
        {
            return copy;
        }

        return copies.GetOrAdd(device, (Upload(device, Cos), Upload(device, Sin)));
    }

    private static DeviceMemory Upload(Device device, FloatBuffer numbers)
    {
        DeviceMemory memory = device.Allocate(numbers.Capacity);
        memory.Upload(numbers.ReadOnlySpan(0, numbers.Capacity));
        return memory;
    }

    /// <summary>A table that holds at least the positions 0 … <paramref name="last"/>. Safe from any thread.</summary>
    public static RopeTable For(int headWidth, float theta, int last)
    {
        if (Tables.TryGetValue((headWidth, theta), out RopeTable? table) && last < table.Positions)
        {
            return table;
        }

        lock (Growth)
        {
            if (!Tables.TryGetValue((headWidth, theta), out table) || last >= table.Positions)
            {
                // Doubling, so that a growing sequence does not recompute at every step.
                int positions = checked(Math.Max(last + 1, Math.Max(128, 2 * (table?.Positions ?? 0))));
                table = new RopeTable(headWidth, theta, positions);
                Tables[(headWidth, theta)] = table;
            }

            return table;
        }
    }
}
