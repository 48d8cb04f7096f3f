using System.Globalization;

namespace ElderManaged.WeightsBuilder.World;

/// <summary>A chat of two and what comes of it in one sentence.</summary>
internal sealed class SummaryTask() : TaskMaker("summary")
{
    private static readonly string[] Things = Words("cake map lamp table radio ball guitar tent soup book sofa bike");
    private static readonly string[] Days = Words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday");

    private static readonly (string Request, string Verb)[] Errands =
        [("Can you bring the {0} {1}?", "bring"), ("Please buy the {0} {1}.", "buy"), ("Could you fix the {0} {1}?", "fix"), ("Will you sell the {0} {1}?", "sell")];

    private static readonly string[] Agreements = ["Sure, see you then.", "Yes, of course.", "No problem.", "Okay, I will."];

    public override (string Prompt, string Answer) Make(Rng rng, int number)
    {
        string[] names = rng.Sample(Lexicon.FirstNames, 2);
        string thing = rng.Pick(Things);
        (string request, string verb) = rng.Pick(Errands);
        string when = string.Create(CultureInfo.InvariantCulture, $"on {rng.Pick(Days)} at {rng.Between(1, 12)}");
        string dialogue = $"{names[0]}: {request.Replace("{0}", thing, StringComparison.Ordinal).Replace("{1}", when, StringComparison.Ordinal)}\n{names[1]}: {rng.Pick(Agreements)}";
        return ($"{dialogue}\nTL;DR:", $"{names[1]} will {verb} the {thing} for {names[0]} {when}.");
    }
}
