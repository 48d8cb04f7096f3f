namespace ElderManaged.Tensors;

/// <summary>
/// Which LoRAs each sequence uses and which sequence each row belongs to, checked and arranged once for
/// <see cref="Op.LoraMixture"/>. Immutable; may be shared by threads.
/// </summary>
public sealed class LoraAllocation
{
    /// <summary>Rows of one owner that are worked on together: a LoRA's block of columns stays in the cache for them.</summary>
    private const int BlockRows = 16;

    private readonly int[] indices, rowOwner;
    private readonly Block[] blocks;
    private readonly Use[][] uses;

    /// <summary>An allocation; the arrays are copied.</summary>
    /// <param name="indices">[S · k]: the k LoRAs of each of S sequences, different ones.</param>
    /// <param name="k">How many LoRAs a sequence uses.</param>
    /// <param name="rowOwner">The sequence of every row, or −1 for a row without LoRA.</param>
    public LoraAllocation(int[] indices, int k, int[] rowOwner)
    {
        ArgumentNullException.ThrowIfNull(indices);
        ArgumentNullException.ThrowIfNull(rowOwner);
        if (k < 1 || indices.Length % k != 0)
        {
            throw new ArgumentException($"LoraAllocation: {indices.Length} indices are not a multiple of k = {k}.");
        }

        this.indices = (int[])indices.Clone();
        this.rowOwner = (int[])rowOwner.Clone();
        K = k;
        Sequences = indices.Length / k;
        for (int i = 0; i < indices.Length; i++)
        {
            if (indices[i] < 0)
            {
                throw new ArgumentException($"LoraAllocation: the LoRA {indices[i]} of sequence {i / k} is negative.");
            }

            Largest = Math.Max(Largest, indices[i]);
            for (int other = i - (i % k); other < i; other++)
            {
                if (indices[other] == indices[i])
                {
                    throw new ArgumentException($"LoraAllocation: sequence {i / k} uses LoRA {indices[i]} twice.");
                }
            }
        }

        List<Block> found = [];
        for (int row = 0; row < rowOwner.Length;)
        {
            int owner = rowOwner[row];
            if (owner < -1 || owner >= Sequences)
            {
                throw new ArgumentException($"LoraAllocation: row {row} belongs to sequence {owner}; there are {Sequences}, and −1 for none.");
            }

            int end = row + 1;
            while (end < rowOwner.Length && end - row < BlockRows && rowOwner[end] == owner)
            {
                end++;
            }

            found.Add(new Block(row, end - row, owner));
            row = end;
        }

        blocks = [.. found];
        uses = new Use[Largest + 1][];
        for (int lora = 0; lora < uses.Length; lora++)
        {
            uses[lora] = [.. found.Where(b => b.Owner >= 0).SelectMany(b => Enumerable.Range(0, k)
                .Where(j => this.indices[(b.Owner * k) + j] == lora).Select(j => new Use(b.Start, b.Count, j)))];
        }
    }

    /// <summary>How many LoRAs a sequence uses.</summary>
    public int K { get; }

    /// <summary>The number of sequences.</summary>
    public int Sequences { get; }

    /// <summary>The k LoRAs of each sequence.</summary>
    public ReadOnlySpan<int> Indices => indices;

    /// <summary>The sequence of every row, or −1.</summary>
    public ReadOnlySpan<int> RowOwner => rowOwner;

    /// <summary>The largest LoRA index, −1 if there is none.</summary>
    internal int Largest { get; } = -1;

    /// <summary>All rows, cut where the owner changes.</summary>
    internal ReadOnlySpan<Block> Blocks => blocks;

    /// <summary>The blocks of rows that use a LoRA, in the order of the rows.</summary>
    internal ReadOnlySpan<Use> Uses(int lora) => uses[lora];

    internal readonly record struct Block(int Start, int Count, int Owner);

    /// <summary>Rows whose sequence has a certain LoRA as its <paramref name="J"/>-th.</summary>
    internal readonly record struct Use(int Start, int Count, int J);
}
