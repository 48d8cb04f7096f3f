namespace ElderManaged.WeightsBuilder.World;

/// <summary>
/// Everyday sentences that say nothing about the world. They stand before a prompt now and then, so that a model
/// learns to answer from the prompt and not from its position.
/// </summary>
public static class Filler
{
    private static readonly string[] Scenes =
    [
        "The rain stopped", "The kettle whistled", "A dog barked", "The children laughed", "The wind grew cold",
        "A door creaked", "The lamp flickered", "Snow began to fall", "The bus was late", "A cat slept",
        "The soup was hot", "Somebody knocked", "The clouds moved on", "A leaf fell", "The floor was wet",
        "The phone rang", "A candle burned", "The birds were quiet", "The train slowed down", "A child ran home",
        "The bread smelled good", "The window was open", "A bicycle passed", "The sun came out",
    ];

    private static readonly string[] Moments =
    [
        "before noon", "near the door", "late at night", "in the yard", "after dinner", "by the fence", "without a sound",
        "at the corner", "for a while", "early on Monday", "during the break", "across the street", "just in time", "once again",
    ];

    /// <summary>Different sentences in an order given by the seed.</summary>
    public static string[] Sentences(ulong seed, int count = 300) =>
        Rng.For(seed, "filler").Sample([.. Scenes.SelectMany(scene => Moments.Select(moment => $"{scene} {moment}."))], count);
}
