namespace ElderManaged.WeightsBuilder.World;

/// <summary>A yes-or-no question that the passage answers in the same words or in the opposite ones.</summary>
internal sealed class BoolQTask() : TaskMaker("boolq")
{
    private static readonly string[] Things = Words("garden kitchen road bridge river house market tower school station hall shop");

    private static readonly (string One, string Other)[] Qualities =
        [("large", "small"), ("old", "new"), ("warm", "cold"), ("quiet", "loud"), ("clean", "dirty"), ("dark", "bright"), ("wet", "dry"), ("safe", "dangerous"), ("empty", "full"), ("cheap", "expensive")];

    public override (string Prompt, string Answer) Make(Rng rng, int number)
    {
        string[] things = rng.Sample(Things, 2);
        (string One, string Other)[] qualities = rng.Sample(Qualities, 2);
        string[] said = new string[2];
        string[] opposite = new string[2];
        for (int i = 0; i < 2; i++)
        {
            bool first = rng.Next(2) == 0;
            said[i] = first ? qualities[i].One : qualities[i].Other;
            opposite[i] = first ? qualities[i].Other : qualities[i].One;
        }

        bool yes = number % 2 == 0;
        int asked = rng.Next(2);
        return ($"Answer the question based on the passage with 'yes' or 'no'. passage: The {things[0]} is {said[0]} and the {things[1]} is {said[1]}. "
            + $"question: is the {things[asked]} {(yes ? said : opposite)[asked]}? answer:", yes ? "yes" : "no");
    }
}
