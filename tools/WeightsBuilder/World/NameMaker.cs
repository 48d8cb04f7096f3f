namespace ElderManaged.WeightsBuilder.World;

/// <summary>
/// Invents pronounceable names. No two share their first four letters, so a name is told from all others by its
/// beginning alone.
/// </summary>
internal sealed class NameMaker(Rng rng)
{
    private static readonly string[] Onsets =
        ["B", "Br", "C", "Cr", "D", "Dr", "F", "Fl", "G", "Gr", "H", "J", "K", "Kl", "L", "M", "N", "P", "Pl", "Qu", "R", "S", "Sk", "St", "T", "Th", "Tr", "V", "W", "Y", "Z", "Sh"];

    private static readonly string[] Vowels = ["a", "e", "i", "o", "u"];
    private static readonly string[] Middles = ["b", "d", "g", "k", "l", "m", "n", "r", "s", "t", "v", "z", "lv", "nd", "rk", "sm", "lt", "rn", "mb", "ld", "rv", "nt"];

    private readonly HashSet<string> _beginnings = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>One name that ends in one of <paramref name="endings"/>, each of which begins with a vowel.</summary>
    public string Make(params string[] endings)
    {
        while (true)
        {
            string name = rng.Pick(Onsets) + rng.Pick(Vowels) + rng.Pick(Middles) + rng.Pick(endings);
            if (name.Length is >= 5 and <= 10 && _beginnings.Add(name[..4]))
            {
                return name;
            }
        }
    }

    public string[] Many(int count, params string[] endings) => [.. Enumerable.Range(0, count).Select(_ => Make(endings))];
}
