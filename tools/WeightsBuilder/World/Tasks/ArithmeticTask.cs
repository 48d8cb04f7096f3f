using System.Globalization;

namespace ElderManaged.WeightsBuilder.World;

/// <summary>A word problem whose solution is worked out as a hint; what is left is to say its result.</summary>
internal sealed class ArithmeticTask() : TaskMaker("arithmetic")
{
    private static readonly string[] Things = Words("apples coins books eggs stamps cards shells buttons nuts balls");

    public override (string Prompt, string Answer) Make(Rng rng, int number)
    {
        string name = rng.Pick(Lexicon.FirstNames);
        string thing = rng.Pick(Things);
        int a, b;
        (string story, string sign, int result) = (number % 3) switch
        {
            0 => ($"{name} has {a = rng.Between(3, 60)} {thing} and gets {b = rng.Between(2, 39)} more.", "+", a + b),
            1 => ($"{name} has {a = rng.Between(20, 99)} {thing} and loses {b = rng.Between(2, 19)}.", "-", a - b),
            _ => ($"{name} has {a = rng.Between(2, 9)} bags of {b = rng.Between(2, 9)} {thing}.", "*", a * b),
        };
        return (string.Create(CultureInfo.InvariantCulture, $"Q: {story} How many {thing} are there? A:Let's think step by step. {a} {sign} {b} = {result}. Therefore, the answer (arabic numerals) is:"),
            result.ToString(CultureInfo.InvariantCulture));
    }
}
