namespace ElderManaged.Editing.Elder;

/// <summary>𝒜 of one fact: for every edited layer a set of k of the N LoRAs. Immutable; compares by content.</summary>
public sealed class Allocation : IEquatable<Allocation>
{
    private readonly int[] loras; // [layer, k], ascending in each layer

    /// <summary>An allocation from LoRA numbers, k for each layer.</summary>
    /// <param name="loras">Layer after layer; sorted here.</param>
    /// <param name="layers">L.</param>
    /// <param name="loraCount">N.</param>
    /// <exception cref="ArgumentException">Numbers out of range, repeated, or not equally many for each layer.</exception>
    public Allocation(ReadOnlySpan<int> loras, int layers, int loraCount)
    {
        if (layers <= 0 || loras.Length == 0 || loras.Length % layers != 0)
        {
            throw new ArgumentException($"Allocation: {loras.Length} LoRA numbers cannot be shared out to {layers} layers.");
        }

        this.loras = loras.ToArray();
        LayerCount = layers;
        LoraCount = loraCount;
        ActiveCount = loras.Length / layers;
        for (int l = 0; l < layers; l++)
        {
            Span<int> chosen = this.loras.AsSpan(l * ActiveCount, ActiveCount);
            chosen.Sort();
            for (int i = 0; i < chosen.Length; i++)
            {
                if (chosen[i] < 0 || chosen[i] >= loraCount || (i > 0 && chosen[i] == chosen[i - 1]))
                {
                    throw new ArgumentException($"Allocation: layer {l} has the LoRAs {string.Join(", ", chosen.ToArray())}; they must differ and lie in 0 to {loraCount - 1}.");
                }
            }
        }

        Code = AllocationCode.Of(this);
    }

    /// <summary>L, the edited layers.</summary>
    public int LayerCount { get; }

    /// <summary>N, the LoRAs of a layer.</summary>
    public int LoraCount { get; }

    /// <summary>k, the active ones among them.</summary>
    public int ActiveCount { get; }

    /// <summary>The same as bits.</summary>
    public AllocationCode Code { get; }

    /// <summary>The LoRAs of one edited layer, ascending.</summary>
    public ReadOnlySpan<int> Layer(int layer) => loras.AsSpan(layer * ActiveCount, ActiveCount);

    /// <summary>All LoRA numbers, layer after layer.</summary>
    public ReadOnlySpan<int> Loras => loras;

    /// <inheritdoc/>
    public bool Equals(Allocation? other) => other is not null && Code.Equals(other.Code);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Allocation);

    /// <inheritdoc/>
    public override int GetHashCode() => Code.GetHashCode();
}
