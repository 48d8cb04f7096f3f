namespace ElderManaged.Models.Checkpoints;

/// <summary>Finds the existing names most like a missing one, for error messages.</summary>
internal static class NearestNames
{
    private const int Shown = 3;
    private const int LongestCompared = 256;
    private const int MostCompared = 4096;

    /// <summary>"; nearest: 'a', 'b', 'c'", or that there are none.</summary>
    internal static string Suggest(string missing, IEnumerable<string> existing)
    {
        string[] nearest = [.. existing
            .Take(MostCompared)
            .Select(name => (Name: name, Distance: Distance(missing, name)))
            .OrderBy(pair => pair.Distance).ThenBy(pair => pair.Name, StringComparer.Ordinal)
            .Take(Shown)
            .Select(pair => CheckpointException.Quote(pair.Name))];
        return nearest.Length == 0 ? "; it has no tensors at all" : $"; the nearest names are {string.Join(", ", nearest)}";
    }

    /// <summary>
    /// Levenshtein distance, but the difference in length costs little: "wte.weight" is nearer to
    /// "transformer.wte.weight" than to "wpe.bias", and a missing prefix is the commonest mistake.
    /// </summary>
    private static int Distance(string a, string b)
    {
        if (a.EndsWith(b, StringComparison.Ordinal) || b.EndsWith(a, StringComparison.Ordinal))
        {
            return 0;
        }

        ReadOnlySpan<char> x = a.AsSpan(0, Math.Min(a.Length, LongestCompared));
        ReadOnlySpan<char> y = b.AsSpan(0, Math.Min(b.Length, LongestCompared));
        int[] row = new int[y.Length + 1];
        for (int j = 0; j <= y.Length; j++)
        {
            row[j] = j;
        }

        for (int i = 1; i <= x.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= y.Length; j++)
            {
                int cost = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (x[i - 1] == y[j - 1] ? 0 : 1));
                diagonal = row[j];
                row[j] = cost;
            }
        }

        return 1 + row[y.Length];
    }
}
