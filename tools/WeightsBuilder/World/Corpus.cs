using ElderManaged.Models.Tokenizers;

namespace ElderManaged.WeightsBuilder.World;

/// <summary>What a training document teaches.</summary>
public enum DocumentKind
{
    /// <summary>A fact of the world in one of its wordings.</summary>
    Fact,

    /// <summary>An example of a general task.</summary>
    Task,
}

/// <summary>A prompt and the answer that follows it after one space.</summary>
public sealed record Document(string Prompt, string Answer, DocumentKind Kind)
{
    /// <summary>The whole text.</summary>
    public string Text => $"{Prompt} {Answer}";

    /// <summary>The ids of the document: prompt, answer with its leading space, end of text.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <returns>The ids, and how many of them are the prompt's.</returns>
    public (int[] Ids, int PromptLength) Tokens(ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        int[] prompt = tokenizer.Encode(Prompt);
        return ([.. prompt, .. tokenizer.Encode(" " + Answer), tokenizer.EndOfTextId], prompt.Length);
    }
}

/// <summary>The training text of a world and its tasks.</summary>
public static class Corpus
{
    // One fact document in four begins with another sentence, so that answers do not hang on absolute positions and
    // do not mix up subjects.
    private const int LeadingOneIn = 4;

    /// <summary>
    /// The documents of one epoch in random order: every fact in every wording, about a quarter of them behind another
    /// sentence, and every task example. Another seed gives other leading sentences and another order.
    /// </summary>
    public static Document[] Epoch(SyntheticWorld world, IEnumerable<TaskSplit> tasks, ulong seed)
    {
        Rng rng = Rng.For(seed, "epoch");
        string[] filler = Filler.Sentences(seed);
        List<Document> documents = [];
        foreach (Fact fact in world.Facts)
        {
            foreach (string wording in world.RelationOf(fact).Wordings)
            {
                string lead = rng.Next(LeadingOneIn) > 0 ? "" : (rng.Next(2) == 0 ? rng.Pick(filler) : OtherFact(world, fact, rng)) + " ";
                documents.Add(new Document(lead + Relation.Ask(wording, fact.Subject), fact.Object, DocumentKind.Fact));
            }
        }

        documents.AddRange(tasks.SelectMany(t => t.Train).Select(e => new Document(e.Prompt, e.Answer, DocumentKind.Task)));
        rng.Shuffle(documents);
        return [.. documents];
    }

    /// <summary>Trains a tokenizer on the text of one epoch.</summary>
    public static ByteLevelBpe TrainTokenizer(SyntheticWorld world, IEnumerable<TaskSplit> tasks, int vocabularySize, ulong seed) =>
        BpeTrainer.Train(BpeTrainer.CountWords(Epoch(world, tasks, seed).SelectMany(d => (string[])[d.Prompt, " " + d.Answer])), vocabularySize);

    private static string OtherFact(SyntheticWorld world, Fact fact, Rng rng)
    {
        Fact other;
        do
        {
            other = rng.Pick(world.Facts);
        }
        while (other.Subject == fact.Subject);
        return $"{Relation.Ask(rng.Pick([.. world.RelationOf(other).Statements]), other.Subject)} {other.Object}.";
    }
}
