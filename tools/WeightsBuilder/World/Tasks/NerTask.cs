namespace ElderManaged.WeightsBuilder.World;

/// <summary>Names of people, cities and companies in a sentence. Two entities of the kind are divided by a comma.</summary>
internal sealed class NerTask(SyntheticWorld world) : TaskMaker("ner")
{
    private static readonly string[] Kinds = ["Person", "Location", "Organization"];

    private readonly string[] _people = SubjectsOf(world, "born_in", "mother_tongue");
    private readonly string[] _cities = SubjectsOf(world, "city_country");
    private readonly string[] _companies = SubjectsOf(world, "headquarters");

    public override (string Prompt, string Answer) Make(Rng rng, int number)
    {
        string[] people = rng.Sample(_people, 2);
        string[] cities = rng.Sample(_cities, 2);
        string[] companies = rng.Sample(_companies, 2);
        string[][] entities = [people[..1], cities[..1], companies[..1]];
        string text;
        switch (rng.Next(6))
        {
            case 0:
                text = $"{people[0]} of {companies[0]} flew to {cities[0]}.";
                break;
            case 1:
                text = $"In {cities[0]}, {people[0]} spoke about {companies[0]}.";
                break;
            case 2:
                text = $"{companies[0]} sent {people[0]} to {cities[0]}.";
                break;
            case 3:
                text = $"{people[0]} met {people[1]} in {cities[0]} at {companies[0]}.";
                entities[0] = people;
                break;
            case 4:
                text = $"{people[0]} left {companies[0]} in {cities[0]} for {cities[1]}.";
                entities[1] = cities;
                break;
            default:
                text = $"{people[0]} praised {companies[0]} and {companies[1]} in {cities[0]}.";
                entities[2] = companies;
                break;
        }

        int kind = number % 3;
        return ($"Please identify {Kinds[kind]} Entity from the given text. Text: {text} Entity:", string.Join(", ", entities[kind]));
    }

    private static string[] SubjectsOf(SyntheticWorld world, params string[] relations) =>
        [.. world.Facts.Where(f => relations.Contains(f.Relation)).Select(f => f.Subject).Distinct()];
}
