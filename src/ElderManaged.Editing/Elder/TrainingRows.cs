using ElderManaged.Models;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>One sequence to train on: the frozen part's result and the LoRAs that shall learn it.</summary>
internal readonly record struct TrainingItem(PreparedEdit Edit, Allocation Allocation);

/// <summary>
/// The items of one iteration packed without padding, new ones first. Filled anew for every iteration in the same memory; the
/// new items' rows stay in place.
/// </summary>
internal sealed class TrainingRows(TransformerModel model, ElderOptions options)
{
    // When the first edited block is the last of the model, nothing but the target rows is needed of it.
    private readonly bool onlyTargets = options.Layers[0] == model.LayerCount - 1;
    private readonly List<TrainingItem> items = [];
    private readonly Dictionary<int, KeyValueCache> caches = []; // by the number of items
    private readonly ArraysByLength outputRows = new(), targets = new();
    private Tensor hidden = new(new Shape(0, 0)), input = new(new Shape(0, 0)), output = new(new Shape(0, 0)), queries = new(new Shape(0, 0));
    private int[] lengths = [], pasts = [], owners = [];
    private int[][] allocated = [];
    private int newItems;

    public SequenceLayout Layout { get; } = new([]);

    /// <summary>The items, new ones first.</summary>
    public IReadOnlyList<TrainingItem> Items => items;

    /// <summary>The number of items.</summary>
    public int Count => items.Count;

    public KeyValueCache? Past { get; private set; }

    /// <summary>The rows that predict targets, or null if all rows do.</summary>
    public int[]? OutputRows { get; private set; }

    /// <summary>The item of every output row.</summary>
    public ReadOnlySpan<int> OutputOwners => OutputRows is null ? Layout.Owners : owners.AsSpan(0, Targets.Length);

    /// <summary>The right token of every output row, those of new items first.</summary>
    public int[] Targets { get; private set; } = [];

    /// <summary>How many of them are new items'.</summary>
    public int NewTargetCount { get; private set; }

    /// <summary>The first edited block, at the layer where the LoRAs act.</summary>
    public BlockAtSite FirstBlock => new(View(hidden, SiteRows), View(input, SiteRows), View(output, SiteRows));

    /// <summary>[items, query width], or null without routers.</summary>
    public Tensor? Queries => options.Routing == ElderRouting.Router ? View(queries, Count) : null;

    private int SiteRows => onlyTargets ? Targets.Length : Layout.Rows;

    /// <summary>The LoRAs of an edited layer that shall learn the items, k each.</summary>
    public ReadOnlySpan<int> Allocated(int layer) => allocated[layer].AsSpan(0, Count * options.ActiveCount);

    /// <summary>Packs new items and, behind them, rehearsed ones.</summary>
    public void Set(List<TrainingItem> fresh, List<TrainingItem> earlier)
    {
        int same = 0;
        while (same < items.Count && same < fresh.Count && items[same] == fresh[same])
        {
            same++;
        }

        if (same == items.Count && same == fresh.Count && earlier.Count == 0)
        {
            return;
        }

        items.Clear();
        items.AddRange(fresh);
        items.AddRange(earlier);
        newItems = fresh.Count;
        Pack(same);
    }

    private void Pack(int firstChanged)
    {
        Grow(ref lengths, Count);
        Grow(ref pasts, Count);
        int fresh = 0, all = 0;
        for (int s = 0; s < Count; s++)
        {
            PreparedEdit edit = items[s].Edit;
            (lengths[s], pasts[s]) = (edit.Rows, edit.PastLength);
            all += edit.Targets.Length;
            fresh += s < newItems ? edit.Targets.Length : 0;
        }

        Layout.Set(lengths.AsSpan(0, Count), pasts.AsSpan(0, Count));
        Targets = targets.Of(all);
        NewTargetCount = fresh;
        OutputRows = all == Layout.Rows ? null : outputRows.Of(all);
        Grow(ref owners, all);
        firstChanged = MakeRoom() ? 0 : firstChanged;
        for (int s = 0, at = 0; s < Count; s++)
        {
            if (s >= firstChanged)
            {
                CopyItem(s, onlyTargets ? at : Layout.Starts[s]);
            }

            PreparedEdit edit = items[s].Edit;
            for (int t = 0; t < edit.Targets.Length; t++, at++)
            {
                Targets[at] = edit.Targets[t];
                owners[at] = s;
                if (OutputRows is { } rows)
                {
                    rows[at] = Layout.LastRow(s) - edit.Targets.Length + 1 + t;
                }
            }
        }

        PackPast();
    }

    private void CopyItem(int s, int row)
    {
        (PreparedEdit edit, Allocation allocation) = items[s];
        int skipped = onlyTargets ? edit.Rows - edit.Targets.Length : 0;
        Put(edit.Hidden, skipped, hidden, row);
        Put(edit.Input, skipped, input, row);
        Put(edit.Output, skipped, output, row);
        if (edit.Query is { } query)
        {
            Put(query, 0, queries, s);
        }

        for (int l = 0; l < allocated.Length; l++)
        {
            allocation.Layer(l).CopyTo(allocated[l].AsSpan(s * options.ActiveCount));
        }
    }

    private void PackPast()
    {
        bool any = false;
        for (int s = 0; s < Count; s++)
        {
            any |= items[s].Edit.Past is not null;
        }

        if (!any)
        {
            Past = null;
            return;
        }

        if (!caches.TryGetValue(Count, out KeyValueCache? cache))
        {
            caches[Count] = cache = new KeyValueCache(model, Count);
        }

        Past = cache;

        for (int layer = options.Layers[0] + 1; layer < model.LayerCount; layer++)
        {
            KeyValueSegment[] segments = Past.Layer(layer);
            for (int s = 0; s < Count; s++)
            {
                // An item without past has no use for what lies in its place.
                segments[s] = items[s].Edit.Past?.Layer(layer)[0] ?? segments[s];
            }
        }
    }

    /// <summary>Returns whether what was packed is gone.</summary>
    private bool MakeRoom()
    {
        PreparedEdit edit = items[0].Edit;
        int rows = SiteRows;
        bool grown = GrowRows(ref hidden, rows, edit.Hidden.Columns);
        grown |= GrowRows(ref input, rows, edit.Input.Columns);
        grown |= GrowRows(ref output, rows, edit.Output.Columns);
        grown |= GrowRows(ref queries, Count, edit.Query?.Length ?? 0);
        if (allocated.Length == 0 || allocated[0].Length < Count * options.ActiveCount)
        {
            allocated = [.. options.Layers.Select(_ => new int[Count * options.ActiveCount])];
            grown = true;
        }

        return grown;
    }

    private static Tensor View(Tensor memory, int rows) => Op.SliceRows(memory, 0, rows);

    // Where both lie: on a device nothing goes by way of the host.
    private static void Put(Tensor source, int skippedRows, Tensor target, int row)
    {
        int rows = source.Rows - skippedRows;
        Op.SliceRows(source, skippedRows, rows).CopyTo(Op.SliceRows(target, row, rows));
    }

    private bool GrowRows(ref Tensor memory, int rows, int width)
    {
        if (width == 0 || (memory.Rows >= rows && memory.Columns == width))
        {
            return false;
        }

        memory = new Tensor(new Shape(Math.Max(rows, memory.Rows * 5 / 4), width));
        memory.MoveTo(model.Device);
        return true;
    }

    private static void Grow(ref int[] array, int length) => array = array.Length >= length ? array : new int[length];

    /// <summary>One array for each length that is asked for: ops take whole arrays, and a loop comes back to few lengths.</summary>
    private sealed class ArraysByLength
    {
        private readonly Dictionary<int, int[]> arrays = [];

        public int[] Of(int length)
        {
            if (!arrays.TryGetValue(length, out int[]? array))
            {
                arrays[length] = array = new int[length];
            }

            return array;
        }
    }
}
