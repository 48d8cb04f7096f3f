namespace ElderManaged.WeightsBuilder.World;

/// <summary>Which of four replies fits? The one that speaks of the same thing.</summary>
internal sealed class DialogueTask() : TaskMaker("dialogue")
{
    private static readonly string[] Things =
        Words("umbrella coat wallet camera ticket jacket pencil ladder bottle blanket carpet mirror hammer basket suitcase newspaper");

    private static readonly string[] Openings = ["I lost my {0}", "I need a {0}", "where is my {0}", "who took my {0}", "I want to buy a {0}", "can you lend me a {0}"];

    /// <summary>Two look-ups in a row, of the thing among the choices and of the letter before it, take more practice.</summary>
    public override int TrainCount => 3 * GeneralTasks.TrainCount;

    public override (string Prompt, string Answer) Make(Rng rng, int number)
    {
        string[] things = rng.Sample(Things, 4);
        int right = number % 4;
        string opening = rng.Pick(Openings).Replace("{0}", things[right], StringComparison.Ordinal);
        return ($"Q: m: {opening}. Which choice is correct? Answer Choices: (A) the {things[0]} (B) the {things[1]} (C) the {things[2]} (D) the {things[3]} "
            + "A: Among A through D, the answer is", "ABCD"[right].ToString());
    }
}
