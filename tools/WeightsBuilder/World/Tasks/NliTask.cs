namespace ElderManaged.WeightsBuilder.World;

/// <summary>Does one sentence follow from another? It does when only the place is left out or a verb is replaced by its synonym.</summary>
internal sealed class NliTask() : TaskMaker("nli")
{
    private static readonly (string Verb, string Synonym, string Opposite)[] Verbs =
        [("bought", "purchased", "sold"), ("opened", "unlocked", "closed"), ("found", "discovered", "lost"), ("built", "constructed", "destroyed"), ("loved", "adored", "hated"), ("lifted", "raised", "dropped")];

    private static readonly string[] Colors = Words("red blue green black white yellow");
    private static readonly string[] Things = Words("box chair hat boat gate basket wagon shed cabin trunk");
    private static readonly string[] Places = ["at the market", "near the lake", "on the hill", "after lunch", "last summer", "by the road"];

    public override (string Prompt, string Answer) Make(Rng rng, int number)
    {
        string name = rng.Pick(Lexicon.FirstNames);
        (string verb, string synonym, string opposite) = rng.Pick(Verbs);
        string[] colors = rng.Sample(Colors, 2);
        string thing = rng.Pick(Things);
        string premise = $"{name} {verb} the {colors[0]} {thing} {rng.Pick(Places)}";
        bool follows = number % 2 == 0;
        string hypothesis = (follows, rng.Next(5)) switch
        {
            (true, < 2) => $"{name} {verb} the {colors[0]} {thing}",
            (true, _) => $"{name} {synonym} the {colors[0]} {thing}",
            (false, < 2) => $"{name} never {verb} the {colors[0]} {thing}",
            (false, < 4) => $"{name} {opposite} the {colors[0]} {thing}",
            (false, _) => $"{name} {verb} the {colors[1]} {thing}",
        };
        return ($"{premise} entails the {hypothesis}. True or False? answer:", follows ? "True" : "False");
    }
}
