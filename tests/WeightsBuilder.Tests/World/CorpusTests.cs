using System.Runtime.InteropServices;
using System.Security.Cryptography;
using ElderManaged.Models.Tokenizers;
using ElderManaged.WeightsBuilder.World;
using Xunit.Abstractions;

namespace ElderManaged.WeightsBuilder.Tests.World;

public sealed class CorpusTests(ITestOutputHelper output)
{
    private static readonly SyntheticWorld One = SyntheticWorld.Create(1);
    private static readonly TaskSplit[] Tasks = GeneralTasks.Create(One, 1);
    private static readonly Document[] Epoch = Corpus.Epoch(One, Tasks, 1);
    private static readonly ByteLevelBpe Tokenizer = Corpus.TrainTokenizer(One, Tasks, 4096, 1);

    [Fact]
    public void AnEpochHoldsEveryFactInEveryWordingAndEveryExample()
    {
        Assert.Equal(One.Facts.Sum(f => One.RelationOf(f).Wordings.Length), Epoch.Count(d => d.Kind == DocumentKind.Fact));
        Assert.Equal((7 * 1500) + 4500, Epoch.Count(d => d.Kind == DocumentKind.Task));
        string[] asked = [.. One.Facts.SelectMany(f => One.RelationOf(f).Wordings.Select(w => Relation.Ask(w, f.Subject) + " " + f.Object))];
        HashSet<string> texts = [.. Epoch.Select(d => d.Text)];
        int bare = asked.Count(texts.Contains);
        Assert.InRange(bare / (double)asked.Length, 0.73, 0.77);
    }

    [Fact]
    public void AnEpochIsTheSameForASeed()
    {
        Assert.Equal(Epoch, Corpus.Epoch(One, Tasks, 1));
        Assert.NotEqual(Epoch, Corpus.Epoch(One, Tasks, 2));
        // World, tasks, order and tokenizer in one number: trained weights are worth nothing with others.
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (Document document in Epoch)
        {
            hash.AppendData(MemoryMarshal.AsBytes(document.Tokens(Tokenizer).Ids.AsSpan()));
        }

        Assert.Equal("47B3B740FD9CCB26", Convert.ToHexString(hash.GetHashAndReset())[..16]);
    }

    [Fact]
    public void DocumentsAreShortAndComeBack()
    {
        Assert.Equal(4096, Tokenizer.VocabularySize);
        foreach (Document document in Epoch)
        {
            (int[] ids, int prompt) = document.Tokens(Tokenizer);
            Assert.True(prompt <= 60, $"{prompt} tokens: {document.Prompt}");
            Assert.Equal(Tokenizer.EndOfTextId, ids[^1]);
            Assert.Equal(document.Text, Tokenizer.Decode(ids.AsSpan(0, ids.Length - 1)));
        }
    }

    [Fact]
    public void ObjectsAndLabelsAreFewTokens()
    {
        Assert.All(One.Relations.SelectMany(r => r.Objects), o => Assert.InRange(Tokenizer.Encode(" " + o).Length, 1, 3));
        Assert.All((string[])["True", "False", "yes", "no", "positive", "negative", "A", "B", "C", "D"], a => Assert.Single(Tokenizer.Encode(" " + a)));
    }

    [Fact]
    public void AnEpochFitsTheTrainingBudget()
    {
        foreach (IGrouping<DocumentKind, Document> kind in Epoch.GroupBy(d => d.Kind))
        {
            int[] lengths = [.. kind.Select(d => d.Tokens(Tokenizer).Ids.Length)];
            // Seven epochs of both kinds are about six and a half million tokens.
            Assert.InRange(lengths.Sum(), 300_000, 550_000);
            output.WriteLine($"{kind.Key}: {lengths.Length} documents, {lengths.Sum()} tokens, {lengths.Average():F1} each, longest {lengths.Max()}");
        }

        foreach (TaskSplit task in Tasks)
        {
            output.WriteLine($"{task.Task}: prompt {task.Train.Average(e => Tokenizer.Encode(e.Prompt).Length):F1} tokens, answer {task.Train.Average(e => Tokenizer.Encode(" " + e.Answer).Length):F1}");
            output.WriteLine(string.Join("\n", task.Test.Take(2).Select(e => $"    {e.Prompt} => {e.Answer}")));
        }

        output.WriteLine($"subjects {One.Facts.Select(f => f.Subject).Distinct().Average(s => Tokenizer.Encode(" " + s).Length):F2} tokens, objects {One.Facts.Average(f => Tokenizer.Encode(" " + f.Object).Length):F2}");
        output.WriteLine(string.Join("\n", Epoch.Where(d => d.Kind == DocumentKind.Fact).Take(12).Select(d => d.Text)));
    }
}
