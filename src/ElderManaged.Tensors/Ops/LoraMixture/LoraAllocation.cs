using System.Runtime.InteropServices;

namespace ElderManaged.Tensors;

/// <summary>
/// Which LoRAs each sequence uses and which sequence each row belongs to, checked and arranged once for
/// <see cref="Op.LoraMixture"/>.
/// </summary>
/// <remarks>
/// Immutable for all who read it, and may be shared by threads; a loop that owns an allocation may <see cref="Set"/> it anew
/// once nothing uses it any more, which allocates only when it grows.
/// </remarks>
public sealed class LoraAllocation
{
    /// <summary>Rows of one owner that are worked on together: a LoRA's block of columns stays in the cache for them.</summary>
    private const int BlockRows = 16;

    // At least as long as needed. The uses of LoRA j are uses[useStarts[j] … useStarts[j + 1] − 1].
    private int[] indices = [], rowOwner = [], useStarts = [];
    private Block[] blocks = [];
    private Use[] uses = [];
    private int blockCount;

    private readonly Lock guard = new();

    // All of it in one array, made when a GPU first asks.
    private int[] numbers = [];
    private volatile int numberCount;

    /// <summary>An allocation; the arrays are copied.</summary>
    /// <param name="indices">[S · k]: the k LoRAs of each of S sequences, different ones.</param>
    /// <param name="k">How many LoRAs a sequence uses.</param>
    /// <param name="rowOwner">The sequence of every row, or −1 for a row without LoRA.</param>
    public LoraAllocation(ReadOnlySpan<int> indices, int k, ReadOnlySpan<int> rowOwner) => Set(indices, k, rowOwner);

    /// <summary>Makes this another allocation. No tape that still runs may use it.</summary>
    /// <param name="indices">[S · k]: the k LoRAs of each of S sequences, different ones.</param>
    /// <param name="k">How many LoRAs a sequence uses.</param>
    /// <param name="rowOwner">The sequence of every row, or −1 for a row without LoRA.</param>
    public void Set(ReadOnlySpan<int> indices, int k, ReadOnlySpan<int> rowOwner)
    {
        if (k < 1 || indices.Length % k != 0)
        {
            throw new ArgumentException($"LoraAllocation: {indices.Length} indices are not a multiple of k = {k}.");
        }

        int largest = -1;
        for (int i = 0; i < indices.Length; i++)
        {
            if (indices[i] < 0)
            {
                throw new ArgumentException($"LoraAllocation: the LoRA {indices[i]} of sequence {i / k} is negative.");
            }

            largest = Math.Max(largest, indices[i]);
            if (indices[(i - (i % k))..i].Contains(indices[i]))
            {
                throw new ArgumentException($"LoraAllocation: sequence {i / k} uses LoRA {indices[i]} twice.");
            }
        }

        int sequences = indices.Length / k;
        for (int row = 0; row < rowOwner.Length; row++)
        {
            if (rowOwner[row] < -1 || rowOwner[row] >= sequences)
            {
                throw new ArgumentException($"LoraAllocation: row {row} belongs to sequence {rowOwner[row]}; there are {sequences}, and −1 for none.");
            }
        }

        (K, Sequences, Largest, Rows) = (k, sequences, largest, rowOwner.Length);
        indices.CopyTo(this.indices = Room(this.indices, indices.Length));
        rowOwner.CopyTo(this.rowOwner = Room(this.rowOwner, rowOwner.Length));
        CutRows();
        ArrangeUses();
        numberCount = 0;
    }

    /// <summary>How many LoRAs a sequence uses.</summary>
    public int K { get; private set; }

    /// <summary>The number of sequences.</summary>
    public int Sequences { get; private set; }

    /// <summary>The k LoRAs of each sequence.</summary>
    public ReadOnlySpan<int> Indices => indices.AsSpan(0, Sequences * K);

    /// <summary>The sequence of every row, or −1.</summary>
    public ReadOnlySpan<int> RowOwner => rowOwner.AsSpan(0, Rows);

    /// <summary>The largest LoRA index, −1 if there is none.</summary>
    internal int Largest { get; private set; } = -1;

    /// <summary>All rows, cut where the owner changes.</summary>
    internal ReadOnlySpan<Block> Blocks => blocks.AsSpan(0, blockCount);

    /// <summary>The blocks of rows that use a LoRA, in the order of the rows.</summary>
    internal ReadOnlySpan<Use> Uses(int lora) => uses.AsSpan(useStarts[lora]..useStarts[lora + 1]);

    /// <summary>
    /// Everything as whole numbers for a GPU: the owner of every row, then from the given places on the LoRAs of each sequence,
    /// where the uses of each LoRA begin (and the last end), and the uses, three numbers each.
    /// </summary>
    internal ReadOnlySpan<int> Numbers(out int indicesAt, out int useStartsAt, out int usesAt)
    {
        indicesAt = Rows;
        useStartsAt = indicesAt + (Sequences * K);
        usesAt = useStartsAt + Largest + 2;
        int useCount = useStarts[Largest + 1];
        int count = usesAt + (3 * useCount);
        if (numberCount != count)
        {
            lock (guard)
            {
                if (numberCount != count)
                {
                    Span<int> all = numbers = Room(numbers, count);
                    RowOwner.CopyTo(all);
                    Indices.CopyTo(all[indicesAt..]);
                    useStarts.AsSpan(0, Largest + 2).CopyTo(all[useStartsAt..]);
                    MemoryMarshal.Cast<Use, int>(uses.AsSpan(0, useCount)).CopyTo(all[usesAt..]);
                    numberCount = count;
                }
            }
        }

        return numbers.AsSpan(0, count);
    }

    private int Rows { get; set; }

    private void CutRows()
    {
        blocks = Room(blocks, Rows);
        blockCount = 0;
        for (int row = 0, end; row < Rows; row = end)
        {
            end = row + 1;
            while (end < Rows && end - row < BlockRows && rowOwner[end] == rowOwner[row])
            {
                end++;
            }

            blocks[blockCount++] = new Block(row, end - row, rowOwner[row]);
        }
    }

    // Sorted by LoRA, those of one LoRA in the order of the rows: counted, added up, put in place.
    private void ArrangeUses()
    {
        useStarts = Room(useStarts, Largest + 2);
        Array.Clear(useStarts);
        uses = Room(uses, blockCount * K);
        foreach (Block block in Blocks)
        {
            for (int j = 0; block.Owner >= 0 && j < K; j++)
            {
                useStarts[indices[(block.Owner * K) + j] + 1]++;
            }
        }

        for (int lora = 0; lora <= Largest; lora++)
        {
            useStarts[lora + 1] += useStarts[lora];
        }

        foreach (Block block in Blocks)
        {
            for (int j = 0; block.Owner >= 0 && j < K; j++)
            {
                uses[useStarts[indices[(block.Owner * K) + j]]++] = new Use(block.Start, block.Count, j);
            }
        }

        // Every start has moved on to the next one's place; back again.
        for (int lora = Largest; lora >= 0; lora--)
        {
            useStarts[lora + 1] = useStarts[lora];
        }

        useStarts[0] = 0;
    }

    private static T[] Room<T>(T[] array, int length) => array.Length >= length ? array : new T[length];

    internal readonly record struct Block(int Start, int Count, int Owner);

    /// <summary>Rows whose sequence has a certain LoRA as its <paramref name="J"/>-th.</summary>
    internal readonly record struct Use(int Start, int Count, int J);
}
