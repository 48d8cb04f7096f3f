using System.Numerics;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Gives every fact an allocation of its own: k random LoRAs in each layer, no two facts the same in all layers. All
/// phrasings of a fact share it, and a fact that comes back keeps it.
/// </summary>
/// <remarks>Depends on the seed and the order of facts alone. Not thread-safe.</remarks>
public sealed class UniqueAllocator
{
    private const int RandomTries = 64;
    private readonly int layers, count, active;
    private readonly Dictionary<string, Allocation> byFact;
    private readonly List<string> order;
    private readonly HashSet<Allocation> taken;
    private RandomSource random;

    /// <summary>An allocator without facts.</summary>
    /// <param name="layers">L, the edited layers.</param>
    /// <param name="count">N, the LoRAs of a layer.</param>
    /// <param name="active">k of them for a fact.</param>
    /// <param name="seed">Decides all draws.</param>
    public UniqueAllocator(int layers, int count, int active, ulong seed)
        : this(layers, count, active, new RandomSource(seed), [], [], [])
    {
    }

    private UniqueAllocator(
        int layers, int count, int active, RandomSource random, Dictionary<string, Allocation> byFact, List<string> order, HashSet<Allocation> taken)
    {
        (this.layers, this.count, this.active, this.random) = (layers, count, active, random);
        (this.byFact, this.order, this.taken) = (byFact, order, taken);
        BigInteger subsets = 1;
        for (int i = 0; i < active; i++)
        {
            subsets = subsets * (count - i) / (i + 1);
        }

        Capacity = BigInteger.Pow(subsets, layers);
    }

    /// <summary>How many facts can be kept apart: C(N, k)^L.</summary>
    public BigInteger Capacity { get; }

    /// <summary>The facts that have an allocation, in the order they came.</summary>
    public IReadOnlyList<string> Facts => order;

    /// <summary>The fact's allocation, or null if it has none.</summary>
    public Allocation? Find(string factId) => byFact.GetValueOrDefault(factId);

    /// <summary>The fact's allocation, drawn now if it is new.</summary>
    /// <exception cref="EditException">Every allocation belongs to another fact.</exception>
    public Allocation Allocate(string factId)
    {
        ArgumentNullException.ThrowIfNull(factId);
        if (byFact.TryGetValue(factId, out Allocation? known))
        {
            return known;
        }

        if (taken.Count >= Capacity)
        {
            throw new EditException(
                $"All {Capacity} allocations of {active} of {count} LoRAs in {layers} layers are taken, so the fact '{factId}' cannot be told from the others. Use more LoRAs of a smaller rank, or more layers.");
        }

        int[] draw = new int[layers * active];
        Allocation candidate;
        int tries = 0;
        do
        {
            // Random draws until they find nothing; then onwards from the last one, which must come to a free place.
            if (tries++ < RandomTries)
            {
                Draw(draw);
            }
            else
            {
                Advance(draw);
            }

            candidate = new Allocation(draw, layers, count);
        }
        while (taken.Contains(candidate));

        Add(factId, candidate);
        return candidate;
    }

    /// <summary>Gives a fact an allocation decided elsewhere.</summary>
    /// <exception cref="ArgumentException">The fact has another one, or the allocation is another fact's or of another shape.</exception>
    public void Assign(string factId, Allocation allocation)
    {
        ArgumentNullException.ThrowIfNull(allocation);
        if (allocation.LayerCount != layers || allocation.LoraCount != count || allocation.ActiveCount != active)
        {
            throw new ArgumentException($"Assign: an allocation of {allocation.ActiveCount} of {allocation.LoraCount} LoRAs in {allocation.LayerCount} layers, expected {active} of {count} in {layers}.");
        }

        if (byFact.TryGetValue(factId, out Allocation? known))
        {
            if (!known.Equals(allocation))
            {
                throw new ArgumentException($"Assign: the fact '{factId}' has another allocation already.");
            }

            return;
        }

        if (taken.Contains(allocation))
        {
            throw new ArgumentException($"Assign: the allocation wanted for the fact '{factId}' belongs to another fact.");
        }

        Add(factId, allocation);
    }

    /// <summary>An equal allocator that goes its own way from here.</summary>
    internal UniqueAllocator Copy() =>
        new(layers, count, active, RandomSource.FromState(random.SaveState()), new(byFact), [.. order], [.. taken]);

    /// <summary>The allocation of every fact, not changed by what comes later.</summary>
    internal IReadOnlyDictionary<string, Allocation> ByFact() => new Dictionary<string, Allocation>(byFact);

    internal ulong[] SaveRandom() => random.SaveState();

    internal void RestoreRandom(ReadOnlySpan<ulong> state) => random = RandomSource.FromState(state);

    private void Add(string factId, Allocation allocation)
    {
        byFact.Add(factId, allocation);
        order.Add(factId);
        taken.Add(allocation);
    }

    private void Draw(int[] draw)
    {
        Span<int> all = stackalloc int[count];
        for (int l = 0; l < layers; l++)
        {
            for (int j = 0; j < count; j++)
            {
                all[j] = j;
            }

            // The first k places of a shuffle (Fisher and Yates, stopped early).
            for (int i = 0; i < active; i++)
            {
                int j = i + random.Next(count - i);
                (all[i], all[j]) = (all[j], all[i]);
            }

            all[..active].Sort();
            all[..active].CopyTo(draw.AsSpan(l * active));
        }
    }

    /// <summary>The next allocation in lexicographic order, after the last one the first.</summary>
    private void Advance(int[] draw)
    {
        for (int l = layers - 1; l >= 0; l--)
        {
            Span<int> subset = draw.AsSpan(l * active, active);
            for (int i = active - 1; i >= 0; i--)
            {
                if (subset[i] < count - active + i)
                {
                    subset[i]++;
                    for (int rest = i + 1; rest < active; rest++)
                    {
                        subset[rest] = subset[rest - 1] + 1;
                    }

                    return;
                }
            }

            for (int i = 0; i < active; i++)
            {
                subset[i] = i; // this layer begins again, the one before moves on
            }
        }
    }
}
