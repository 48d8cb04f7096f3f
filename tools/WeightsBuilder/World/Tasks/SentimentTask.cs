namespace ElderManaged.WeightsBuilder.World;

/// <summary>Is a review good or bad? Strong words tell.</summary>
internal sealed class SentimentTask() : TaskMaker("sentiment")
{
    private static readonly string[] Good = Words("""
        wonderful brilliant delightful superb charming excellent beautiful moving funny clever perfect great lovely
        amazing enjoyable touching
        """);

    private static readonly string[] Bad = Words("""
        terrible awful boring dull horrible stupid ugly tedious poor disappointing annoying weak painful dreadful
        lifeless clumsy
        """);

    private static readonly string[] Degrees = Words("really truly very simply quite often");
    private static readonly string[] Parts = Words("movie plot cast music script ending camera play scene story");

    public override (string Prompt, string Answer) Make(Rng rng, int number)
    {
        bool positive = number % 2 == 0;
        string[] words = rng.Sample(positive ? Good : Bad, 2);
        string[] parts = rng.Sample(Parts, 2);
        string text = rng.Next(4) switch
        {
            0 => $"the {parts[0]} is {rng.Pick(Degrees)} {words[0]} and {words[1]}",
            1 => $"a {words[0]} {parts[0]} with a {rng.Pick(Degrees)} {words[1]} {parts[1]}",
            2 => $"what a {words[0]} {parts[0]} , {rng.Pick(Degrees)} {words[1]}",
            _ => $"we saw a {words[0]} {parts[0]} and the {parts[1]} was {words[1]}",
        };
        return ($"Label the sentiment of the text as positive or negative. text: {text} answer:", positive ? "positive" : "negative");
    }
}
