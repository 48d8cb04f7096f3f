using System.Globalization;

namespace ElderManaged.WeightsBuilder.World;

/// <summary>
/// An invented world to learn by heart and then to edit: people, cities, countries, companies, novels, films and
/// teams, and what is true of them. Nothing in it is true outside, so a model knows it only from its training.
/// </summary>
public sealed class SyntheticWorld : FactWorld
{
    private const int People = 300;
    private const int FactsPerPerson = 4;
    private const int Cities = 150;
    private const int CitiesAsObjects = 40;
    private const int Countries = 36;
    private const int Companies = 120;
    private const int Employers = 30;
    private const int Novels = 90;
    private const int Films = 70;
    private const int Teams = 60;
    private const int Writers = 30;
    private const int Directors = 20;

    /// <summary>A world of given facts.</summary>
    public SyntheticWorld(IReadOnlyList<Relation> relations, IReadOnlyList<Fact> facts)
        : base(relations, facts)
    {
    }

    /// <summary>Makes the world of a seed.</summary>
    public static SyntheticWorld Create(ulong seed)
    {
        NameMaker names = new(Rng.For(seed, "names"));
        string[] countries = names.Many(Countries, "ia", "and", "esh", "or");
        string[] cities = names.Many(Cities, "ova", "un", "is", "ek", "ath", "im", "el");
        string[] majorCities = cities[..CitiesAsObjects];
        string[] languages = names.Many(24, "ish", "ese", "ic");
        string[] continents = names.Many(8, "ara", "us");
        string[] universities = names.Many(24, "ock", "id", "ast");
        string[] companies = names.Many(Companies, "ex", "on", "ix", "oco", "ax");
        string[] writers = names.Many(Writers, "ow", "ard", "ell");
        string[] directors = names.Many(Directors, "oni", "etti", "ero");
        string[] people = [.. names.Many(People, "er", "in", "as", "ano", "ez", "ol", "ight", "ert").Select((last, i) => $"{Lexicon.FirstNames[i * 7 % Lexicon.FirstNames.Length]} {last}")];
        string[] works = [.. names.Many(Novels + Films, "al", "en", "om", "ir", "ud", "og").Select((name, i) => $"The {Lexicon.TitleNouns[i * 3 % Lexicon.TitleNouns.Length]} of {name}")];
        string[] teams = [.. names.Many(Teams, "ot", "ag", "uth", "ef").Select((name, i) => $"{name} {Lexicon.Animals[i * 5 % Lexicon.Animals.Length]}")];
        string[] novels = works[..Novels];
        string[] films = works[Novels..];

        Dictionary<string, string[]> objects = new(StringComparer.Ordinal)
        {
            ["born_in"] = majorCities, ["died_in"] = majorCities, ["headquarters"] = majorCities, ["team_city"] = majorCities,
            ["capital"] = cities[..60], ["city_country"] = countries, ["citizen_of"] = countries,
            ["mother_tongue"] = languages, ["country_language"] = languages, ["original_language"] = languages,
            ["profession"] = Lexicon.Professions, ["employer"] = companies[..Employers], ["studied_at"] = universities,
            ["instrument"] = Lexicon.Instruments, ["sport"] = Lexicon.Sports, ["team_sport"] = Lexicon.Sports,
            ["famous_for"] = Lexicon.Goods, ["continent"] = continents, ["currency"] = Lexicon.Currencies,
            ["industry"] = Lexicon.Industries, ["genre"] = Lexicon.Genres, ["author"] = writers, ["director"] = directors,
        };
        Relation[] relations = [.. RelationCatalog.All.Select(r => new Relation(r.Id, r.Description, r.Wordings.Split('\n'), objects[r.Id]))];

        List<Fact> facts = [];
        Rng rng = Rng.For(seed, "facts");
        Dictionary<string, Queue<string>> decks = new(StringComparer.Ordinal);
        void Add(string subject, string relation, string value) =>
            facts.Add(new Fact(string.Create(CultureInfo.InvariantCulture, $"f{facts.Count + 1}"), subject, relation, value));
        void AddAll(IEnumerable<string> subjects, params string[] kinds)
        {
            foreach (string subject in subjects)
            {
                foreach (string kind in kinds)
                {
                    // A shuffled deck for each relation: every object is true of some subject, all about equally often.
                    if (!decks.TryGetValue(kind, out Queue<string>? deck) || deck.Count == 0)
                    {
                        decks[kind] = deck = new Queue<string>(rng.Sample(objects[kind], objects[kind].Length));
                    }

                    Add(subject, kind, deck.Dequeue());
                }
            }
        }

        string[] personal = ["born_in", "mother_tongue", "profession", "employer", "instrument", "sport", "citizen_of", "died_in", "studied_at"];
        foreach (string person in people)
        {
            AddAll([person], rng.Sample(personal, FactsPerPerson));
        }

        // A capital lies in its country and is the capital of one country only.
        string[] capitals = rng.Sample(cities[..60], Countries);
        foreach (string city in cities)
        {
            int governed = Array.IndexOf(capitals, city);
            Add(city, "city_country", governed >= 0 ? countries[governed] : rng.Pick(countries));
            AddAll([city], "famous_for");
        }

        for (int i = 0; i < Countries; i++)
        {
            Add(countries[i], "capital", capitals[i]);
            AddAll([countries[i]], "country_language", "continent", "currency");
        }

        AddAll(companies, "headquarters", "industry");
        AddAll(novels, "author", "genre", "original_language");
        AddAll(films, "director", "genre", "original_language");
        AddAll(teams, "team_sport", "team_city");
        return new SyntheticWorld(relations, facts);
    }
}
