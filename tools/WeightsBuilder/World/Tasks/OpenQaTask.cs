namespace ElderManaged.WeightsBuilder.World;

/// <summary>
/// Questions about the world's facts in wordings of their own. Those to measure with ask only about the facts that
/// <see cref="SyntheticWorld.IsKept"/> marks as never to be edited, so their answers stay right while others change.
/// </summary>
internal sealed class OpenQaTask(SyntheticWorld world) : TaskMaker("openqa")
{
    private static readonly string[] Forms =
        ["Please answer the question. Question: name the {0} of {1}. Reply:", "Tell me about {1}: what {0}? Reply:", "Question: regarding {1}, which {0}? Reply:"];

    private static readonly Dictionary<string, string> Topics = new(StringComparer.Ordinal)
    {
        ["born_in"] = "birthplace", ["mother_tongue"] = "mother tongue", ["profession"] = "profession", ["employer"] = "employer",
        ["instrument"] = "instrument", ["sport"] = "sport", ["citizen_of"] = "citizenship", ["died_in"] = "place of death",
        ["studied_at"] = "university", ["city_country"] = "country", ["famous_for"] = "pride", ["capital"] = "capital",
        ["country_language"] = "official language", ["continent"] = "continent", ["currency"] = "currency",
        ["headquarters"] = "headquarters", ["industry"] = "industry", ["author"] = "author", ["director"] = "director",
        ["genre"] = "genre", ["original_language"] = "original language", ["team_sport"] = "game", ["team_city"] = "home city",
    };

    private readonly Fact[] _kept = [.. world.Facts.Where(SyntheticWorld.IsKept)];
    private readonly IReadOnlyList<Fact> _facts = world.Facts;

    public override (string Prompt, string Answer) Make(Rng rng, int number)
    {
        // First one form for each kept fact to measure with, then another form of the same facts to learn from.
        (Fact fact, int form) = number switch
        {
            < GeneralTasks.TestCount => (_kept[number], number % Forms.Length),
            < 2 * GeneralTasks.TestCount => (_kept[number - GeneralTasks.TestCount], (number + 1) % Forms.Length),
            _ => (rng.Pick(_facts), rng.Next(Forms.Length)),
        };
        string prompt = Forms[form].Replace("{0}", Topics[fact.Relation], StringComparison.Ordinal).Replace("{1}", fact.Subject, StringComparison.Ordinal);
        return (prompt, fact.Object);
    }
}
