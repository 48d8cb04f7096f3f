namespace ElderManaged.Editing.Elder;

/// <summary>
/// Chooses what an iteration trains on. A new item that is sure rests for some iterations, a rehearsed one that is sure
/// gives its place to another: the time goes where something is to be learned.
/// </summary>
internal sealed class TrainingAttention(ElderOptions options)
{
    // −ln of one half: from here on another token may be the most likely one.
    private const float Forgotten = 0.6931472f;

    private readonly List<TrainingItem> all = [];
    private readonly List<int> awake = []; // the items of Fresh, by their places in all
    private readonly List<TrainingItem> unsure = [];
    private readonly float sure = -MathF.Log(options.EarlyStopProbability ?? 1);
    private int[] restsUntil = [];
    private float[] worst = [];

    /// <summary>The new items of this iteration.</summary>
    public List<TrainingItem> Fresh { get; } = [];

    /// <summary>The rehearsed ones.</summary>
    public List<TrainingItem> Earlier { get; } = [];

    /// <summary>How many target tokens all new items have, resting ones too.</summary>
    public int NewTargets { get; private set; }

    /// <summary>Begins a batch.</summary>
    public void Begin(IReadOnlyList<TrainingItem> fresh)
    {
        all.Clear();
        all.AddRange(fresh);
        unsure.Clear();
        restsUntil = restsUntil.Length >= all.Count ? restsUntil : new int[all.Count];
        Array.Clear(restsUntil);
        NewTargets = 0;
        foreach (TrainingItem item in all)
        {
            NewTargets += item.Edit.Targets.Length;
        }
    }

    /// <summary>Fills <see cref="Fresh"/> and <see cref="Earlier"/>.</summary>
    /// <param name="iteration">From 0.</param>
    /// <param name="rehearse">Adds rehearsed items to a list until it has as many as are wanted.</param>
    public void Choose(int iteration, Action<List<TrainingItem>> rehearse)
    {
        bool any = false; // when all rest, none does
        for (int i = 0; i < all.Count; i++)
        {
            any |= restsUntil[i] <= iteration;
        }

        Fresh.Clear();
        awake.Clear();
        for (int i = 0; i < all.Count; i++)
        {
            if (!any || restsUntil[i] <= iteration)
            {
                Fresh.Add(all[i]);
                awake.Add(i);
            }
        }

        Earlier.Clear();
        Earlier.AddRange(unsure);
        rehearse(Earlier);
    }

    /// <summary>Whether all new items are in this iteration; if not, all will be in the next.</summary>
    public bool NoneRests(int iteration)
    {
        if (Fresh.Count < all.Count)
        {
            Array.Fill(restsUntil, iteration + 1);
            return false;
        }

        return true;
    }

    /// <summary>Is told how sure each item is.</summary>
    /// <param name="iteration">From 0.</param>
    /// <param name="losses">−ln of the probability of each target token.</param>
    /// <param name="owners">The item of each: those of <see cref="Fresh"/>, then those of <see cref="Earlier"/>.</param>
    public void See(int iteration, ReadOnlySpan<float> losses, ReadOnlySpan<int> owners)
    {
        FindWorst(losses, owners, Fresh.Count + Earlier.Count);
        for (int f = 0; f < Fresh.Count; f++)
        {
            if (worst[f] <= sure)
            {
                restsUntil[awake[f]] = iteration + 1 + options.RestIterations;
            }
        }

        unsure.Clear();
        for (int e = 0; e < Earlier.Count && options.RehearseUntilSure; e++)
        {
            if (worst[Fresh.Count + e] > sure)
            {
                unsure.Add(Earlier[e]);
            }
        }
    }

    /// <summary>
    /// Is told of earlier items that were looked at when all seemed learned: what of them is forgotten is rehearsed next.
    /// </summary>
    /// <param name="items">What was looked at.</param>
    /// <param name="losses">−ln of the probability of each target token.</param>
    /// <param name="owners">The item of each.</param>
    /// <returns>Whether none is forgotten: every token is the most likely one for certain.</returns>
    public bool NoneIsForgotten(IReadOnlyList<TrainingItem> items, ReadOnlySpan<float> losses, ReadOnlySpan<int> owners)
    {
        FindWorst(losses, owners, items.Count);
        bool none = true;
        for (int i = 0; i < items.Count; i++)
        {
            if (worst[i] >= Forgotten)
            {
                none = false;
                unsure.Add(items[i]);
            }
        }

        return none;
    }

    /// <summary>The loss of each item's least probable token.</summary>
    private void FindWorst(ReadOnlySpan<float> losses, ReadOnlySpan<int> owners, int count)
    {
        worst = worst.Length >= count ? worst : new float[count];
        Array.Clear(worst);
        for (int t = 0; t < losses.Length; t++)
        {
            worst[owners[t]] = Math.Max(worst[owners[t]], losses[t]);
        }
    }
}
