using System.Globalization;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// Texts and facts made from templates, so that any base model of English can be calibrated without files. Own texts of
/// the kind that will be asked, and own facts, make a better calibration.
/// </summary>
/// <remarks>The names are invented, so that the facts are known to no model and are never what someone edits.</remarks>
public static class BuiltInCalibration
{
    private static readonly string[] Starts = ["Bel", "Cor", "Dra", "Fen", "Gar", "Hol", "Jas", "Kel", "Lor", "Mar", "Nor", "Osk", "Pel", "Quin", "Ros", "Sal", "Tor", "Ul", "Ver", "Wes", "Yar", "Zel"];
    private static readonly string[] Middles = ["a", "an", "e", "el", "i", "in", "o", "or", "u", "un"];
    private static readonly string[] Ends = ["bert", "dale", "den", "ford", "gard", "lin", "mont", "mora", "nish", "rick", "ria", "sky", "ston", "tova", "vale", "wick"];
    private static readonly string[] FirstNames = ["Anna", "Bruno", "Clara", "David", "Elena", "Frank", "Greta", "Henry", "Irene", "Jonas", "Karin", "Louis", "Maria", "Nils", "Olga", "Peter", "Rosa", "Simon", "Tara", "Victor"];
    private static readonly string[] Nouns = ["Garden", "River", "Winter", "Mirror", "Bridge", "Letter", "Harbour", "Stone", "Lantern", "Forest", "Island", "Clock"];

    /// <summary>A kind of subject: how to name one, and its relations with their wordings.</summary>
    private static readonly (Func<string, RandomSource, string> Name, string[][] Relations)[] Kinds =
    [
        ((name, random) => $"{Pick(random, FirstNames)} {name}",
        [
            ["{s} was born in", "The birthplace of {s} is", "Q: Where was {s} born? A:", "{s} is originally from", "In which city was {s} born?"],
            ["{s} works as a", "The profession of {s} is", "What does {s} do for a living?", "Q: What is the occupation of {s}? A:", "By profession, {s} is a"],
            ["{s} studied at", "The university that {s} attended is", "What university did {s} attend?", "Q: Where did {s} study? A:", "{s} received a degree from"],
            ["The mother tongue of {s} is", "{s} is a native speaker of", "What language does {s} speak at home?", "{s} grew up speaking", "Q: What is the first language of {s}? A:"],
            ["{s} is married to", "The spouse of {s} is", "Who is the husband or wife of {s}?", "Q: To whom is {s} married? A:", "The person {s} married was"],
        ]),
        ((name, _) => name,
        [
            ["{s} is located in the country of", "In which country is {s}?", "{s} is a city in", "Q: Which country does {s} belong to? A:", "The country where {s} lies is"],
            ["The mayor of {s} is", "Who is the mayor of {s}?", "{s} is governed by", "Q: Who runs the city of {s}? A:", "The head of the city council of {s} is"],
            ["{s} is famous for its", "What is {s} known for?", "People visit {s} because of its", "Q: What is the best known product of {s}? A:", "The city of {s} is renowned for its"],
            ["The river that flows through {s} is the", "Which river flows through {s}?", "{s} lies on the river", "Q: On which river does {s} lie? A:", "{s} was built on the banks of the"],
        ]),
        ((name, random) => $"{name} {Pick(random, ["Group", "Motors", "Systems", "Foods", "Labs"])}",
        [
            ["The headquarters of {s} is in", "Where is {s} based?", "{s} has its head office in", "Q: In which city is {s} headquartered? A:", "The main office of {s} can be found in"],
            ["{s} was founded by", "Who founded {s}?", "The founder of {s} is", "Q: Who started the company {s}? A:", "{s} was established by"],
            ["The chief executive of {s} is", "Who leads {s}?", "{s} is managed by", "Q: Who is the CEO of {s}? A:", "The company {s} is headed by"],
            ["{s} was founded in the year", "When was {s} founded?", "The year in which {s} was established is", "Q: In what year did {s} start? A:", "{s} began its business in"],
        ]),
        ((name, random) => $"The {Pick(random, Nouns)} of {name}",
        [
            ["The author of {s} is", "Who wrote {s}?", "{s} was written by", "Q: Who is the writer of {s}? A:", "The person who wrote {s} was"],
            ["{s} was originally written in", "What is the original language of {s}?", "The language in which {s} first appeared is", "Q: In which language was {s} written? A:", "{s} was first published in the language"],
            ["The genre of {s} is", "What kind of book is {s}?", "{s} is best described as a", "Q: To which genre does {s} belong? A:", "Critics classify {s} as a"],
            ["{s} was published by", "Who published {s}?", "The publisher of {s} is", "Q: Which company published {s}? A:", "{s} was brought out by"],
        ]),
    ];

    private static readonly string[] TextTemplates =
    [
        "The {adj} {thing} near the {place} was {verb} by a {person}.",
        "Could you tell me how to {task}?",
        "What is the difference between a {thing} and a {thing2}?",
        "I think the {thing} was {adj}, but the {thing2} was rather {adj2}.",
        "Every {time}, the {person} walks from the {place} to the {place2}.",
        "Why do people {task} {when}?",
        "The {person} asked whether the {thing} could be {verb} before the end of the {time}.",
        "Write a short letter to a {person} about a {adj} {thing}.",
        "How many {thing}s are there in a {place}?",
        "It rained during the {time}. The {person} stayed in the {place} and read about a {adj} {thing}.",
        "When was the first {thing} invented?",
        "Nobody in the {place} knew that the {thing} had been {verb}.",
        "Q: Who usually works in a {place}? A:",
        "If you want to {task}, you will need a {adj} {thing} and some patience.",
        "The price of the {thing} rose by {number} percent in {year}.",
        "In {year}, about {number} {person}s worked at the {place}.",
        "This {thing} is {adj} and {adj2}; I would not buy it again.",
        "A {person} has {number} {thing}s and gives away three of them. How many {thing}s are left?",
        "Is it possible to {task} without a {thing}?",
        "Summarize the following story. A {person} lost a {thing} in the {place}. A {person2} found it.",
        "which {place} has the most {adj} {thing}s",
        "The new law says that every {person} must {task} {when}.",
        "Scientists found that {adj} {thing}s are more common in the {place} than in the {place2}.",
        "Please explain to a {person} how to {task}.",
        "What happens when a {thing} is left in the {place} for a {time}?",
    ];

    private static readonly Dictionary<string, string[]> Words = new(StringComparer.Ordinal)
    {
        ["adj"] = ["old", "bright", "expensive", "broken", "quiet", "modern", "heavy", "strange", "popular", "wooden", "empty", "useful", "cold", "colourful", "reliable", "dangerous", "tiny", "elegant"],
        ["thing"] = ["bicycle", "camera", "engine", "novel", "violin", "computer", "kitchen table", "telescope", "ticket", "recipe", "painting", "battery", "coat", "song", "map", "phone", "garden chair", "vaccine", "contract", "sandwich"],
        ["place"] = ["library", "station", "market", "hospital", "valley", "museum", "office", "harbour", "school", "mountain village", "factory", "theatre", "kitchen", "airport", "desert", "laboratory"],
        ["person"] = ["teacher", "farmer", "nurse", "lawyer", "child", "student", "driver", "scientist", "musician", "neighbour", "tourist", "judge", "baker", "soldier", "journalist", "engineer"],
        ["verb"] = ["repaired", "sold", "discovered", "painted", "stolen", "delivered", "photographed", "cleaned", "forgotten", "designed", "returned", "tested"],
        ["task"] = ["bake bread", "learn a language", "write a report", "grow tomatoes", "save money", "repair a roof", "train a dog", "cross the river", "prepare for an exam", "send an email", "sleep better", "plan a journey"],
        ["time"] = ["morning", "winter", "week", "year", "holiday", "evening", "month", "summer", "afternoon"],
        ["when"] = ["at night", "before breakfast", "in public", "during the war", "on Sundays", "every day", "twice a year", "in the spring"],
        ["number"] = ["four", "12", "seven", "40", "250", "nine", "1,500", "thirty"],
        ["year"] = ["1872", "1914", "1950", "1968", "1987", "2003", "2015", "2021"],
    };

    /// <summary>Different everyday sentences, questions and small passages about nobody in particular.</summary>
    /// <param name="count">How many.</param>
    /// <param name="seed">The same seed gives the same texts.</param>
    public static string[] Texts(int count = 800, ulong seed = 1)
    {
        RandomSource random = new(seed);
        HashSet<string> seen = new(StringComparer.Ordinal);
        List<string> texts = [];
        for (int i = 0; texts.Count < count; i++)
        {
            string text = TextTemplates[i % TextTemplates.Length];
            foreach ((string slot, string[] words) in Words.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            {
                text = text.Replace($"{{{slot}}}", Pick(random, words), StringComparison.Ordinal);
                text = text.Replace($"{{{slot}2}}", Pick(random, words), StringComparison.Ordinal);
            }

            if (seen.Add(text))
            {
                texts.Add(text);
            }
            else if (i > 100 * count)
            {
                throw new ArgumentOutOfRangeException(nameof(count), count, $"The templates make no more than about {texts.Count} different texts.");
            }
        }

        return [.. texts];
    }

    /// <summary>Facts about invented people, cities, companies and books, several about each, in five wordings each.</summary>
    /// <param name="count">How many.</param>
    /// <param name="seed">The same seed gives the same facts.</param>
    public static CalibrationFact[] Facts(int count = 320, ulong seed = 1)
    {
        RandomSource random = new(seed + 0x5EED);
        HashSet<string> seen = new(StringComparer.Ordinal);
        List<CalibrationFact> facts = [];
        for (int subjects = 0; facts.Count < count; subjects++)
        {
            (Func<string, RandomSource, string> name, string[][] relations) = Kinds[subjects % Kinds.Length];
            string subject = name(Pick(random, Starts) + Pick(random, Middles) + Pick(random, Ends), random);
            if (!seen.Add(subject))
            {
                if (subjects > 100 * count)
                {
                    throw new ArgumentOutOfRangeException(nameof(count), count, $"The templates make no more than about {facts.Count} facts.");
                }

                continue;
            }

            int[] order = [.. Enumerable.Range(0, relations.Length)];
            random.Shuffle<int>(order);
            foreach (int r in order.Take(Math.Min(2 + random.Next(2), count - facts.Count)))
            {
                string[] phrasings = [.. relations[r].Select(wording => wording.Replace("{s}", subject, StringComparison.Ordinal))];
                facts.Add(new CalibrationFact(string.Create(CultureInfo.InvariantCulture, $"calibration-{facts.Count}"), subject, phrasings));
            }
        }

        return [.. facts];
    }

    private static string Pick(RandomSource random, string[] words) => words[random.Next(words.Length)];
}
