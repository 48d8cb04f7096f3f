using ElderManaged.Evaluation.Tasks;
using System.Text.Json;
using ElderManaged.WeightsBuilder.World;

namespace ElderManaged.WeightsBuilder.Tests.World;

public sealed class GeneralTasksTests
{
    private static readonly SyntheticWorld One = SyntheticWorld.Create(1);
    private static readonly TaskSplit[] Tasks = GeneralTasks.Create(One, 1);

    [Fact]
    public void EightTasksOfTheAgreedSizes()
    {
        Assert.Equal(["nli", "boolq", "sentiment", "dialogue", "ner", "openqa", "arithmetic", "summary"], Tasks.Select(t => t.Task));
        Assert.All(Tasks, t => Assert.Equal((t.Task == "dialogue" ? 4500 : 1500, 150), (t.Train.Count, t.Test.Count)));
        Assert.All(All(), e => Assert.Equal((e.Prompt.Trim(), e.Answer.Trim()), (e.Prompt, e.Answer)));
    }

    [Fact]
    public void NoTestPromptIsLearned()
    {
        Assert.All(Tasks, t => Assert.Empty(t.Test.Select(e => e.Prompt).Intersect(t.Train.Select(e => e.Prompt))));
        Assert.Equal(All().Count(), All().Select(e => e.Prompt).Distinct().Count());
        HashSet<string> facts = [.. One.Facts.SelectMany(f => One.RelationOf(f).Wordings.Select(w => Relation.Ask(w, f.Subject)))];
        Assert.DoesNotContain(All(), e => facts.Contains(e.Prompt));
    }

    [Theory]
    [InlineData("nli", 2)]
    [InlineData("boolq", 2)]
    [InlineData("sentiment", 2)]
    [InlineData("dialogue", 4)]
    public void LabelsAreBalanced(string task, int labels)
    {
        TaskSplit split = Tasks.Single(t => t.Task == task);
        foreach (IReadOnlyList<TaskExample> examples in (IReadOnlyList<TaskExample>[])[split.Train, split.Test])
        {
            int[] counts = [.. examples.GroupBy(e => e.Answer).Select(g => g.Count())];
            Assert.Equal(labels, counts.Length);
            Assert.True(counts.Max() - counts.Min() <= 1, string.Join(", ", counts));
        }
    }

    [Fact]
    public void AnswersFollowFromTheirPrompts()
    {
        foreach (TaskExample e in All())
        {
            string p = e.Prompt;
            bool right = e.Task switch
            {
                "boolq" => p.Split("passage: ")[1].Split("question")[0].Split(' ', '.').Contains(p.Split("? answer")[0].Split(' ')[^1]) == (e.Answer == "yes"),
                "dialogue" => p.Split($"({e.Answer}) the ")[1].Split(' ')[0] == p.Split(". Which")[0].Split(' ')[^1],
                "ner" => e.Answer.Split(", ").All(name => p.Contains(name, StringComparison.Ordinal)),
                "arithmetic" => p.Contains($"= {e.Answer}. ", StringComparison.Ordinal),
                "summary" => p.Contains("\n" + e.Answer.Split(' ')[0] + ": ", StringComparison.Ordinal) && p.EndsWith("\nTL;DR:", StringComparison.Ordinal),
                "openqa" => One.Facts.Any(f => f.Object == e.Answer && p.Contains(f.Subject, StringComparison.Ordinal)),
                "nli" => Follows(p) == (e.Answer == "True"),
                "sentiment" => Strong.Count(w => p.Split("text: ")[1].Split(' ').Contains(w)) == (e.Answer == "positive" ? 2 : 0),
                _ => false,
            };
            Assert.True(right, $"{p} {e.Answer}");
        }
    }

    [Fact]
    public void OpenQuestionsAreMeasuredOnKeptFactsThatAreLearnedInAnotherForm()
    {
        TaskSplit openqa = Tasks.Single(t => t.Task == "openqa");
        Fact[] kept = [.. One.Facts.Where(SyntheticWorld.IsKept)];
        Assert.True(kept.Length >= 150);
        Assert.All(openqa.Test, e => Assert.Contains(kept, f => f.Object == e.Answer && e.Prompt.Contains(f.Subject, StringComparison.Ordinal)));
        Assert.All(openqa.Test, e => Assert.Contains(openqa.Train, t => t.Answer == e.Answer));
    }

    [Fact]
    public void TasksAreTheSameForASeedAndReadBackAsWritten()
    {
        Assert.Equal(Text(Tasks), Text(GeneralTasks.Create(SyntheticWorld.Create(1), 1)));
        Assert.NotEqual(Text(Tasks), Text(GeneralTasks.Create(One, 2)));
        string folder = Directory.CreateTempSubdirectory("tasks").FullName;
        GeneralTasks.Save(Tasks, folder);
        WorldFiles.Save(One, Path.Combine(folder, "world"));
        Assert.Equal(Text(Tasks), Text(GeneralTasks.Load(folder)));
        Assert.InRange(new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length), 1_000_000, 3_500_000);
        Directory.Delete(folder, recursive: true);
    }

    private static readonly string[] Strong =
        ["wonderful", "brilliant", "delightful", "superb", "charming", "excellent", "beautiful", "moving", "funny", "clever", "perfect", "great", "lovely", "amazing", "enjoyable", "touching"];

    private static readonly string[] Synonyms =
        ["bought purchased", "opened unlocked", "found discovered", "built constructed", "loved adored", "lifted raised"];

    // "Name verb the color thing where entails the Name verb the color thing. ..."
    private static bool Follows(string prompt)
    {
        string[] premise = prompt.Split(" entails the ")[0].Split(' ');
        string[] hypothesis = prompt.Split(" entails the ")[1].Split('.')[0].Split(' ');
        return hypothesis.Length == 5 && Enumerable.Range(0, 5).All(i =>
            premise[i] == hypothesis[i] || (i == 1 && Synonyms.Contains($"{premise[i]} {hypothesis[i]}")));
    }

    private static IEnumerable<TaskExample> All() => Tasks.SelectMany(t => t.Train.Concat(t.Test));

    private static string Text(TaskSplit[] tasks) => JsonSerializer.Serialize(tasks);
}
