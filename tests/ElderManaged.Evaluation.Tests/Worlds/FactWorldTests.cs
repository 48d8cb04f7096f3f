using ElderManaged.Evaluation.Datasets;
using ElderManaged.Evaluation.Worlds;
using ElderManaged.Testing;

namespace ElderManaged.Evaluation.Tests.Worlds;

public sealed class FactWorldTests
{
    private const string Relations = """
        [
          {"id": "born_in", "description": "a birthplace",
           "wordings": ["{s} was born in", "Where was {s} born? Answer:"],
           "objects": ["Ova", "Nebek"]}
        ]
        """;

    private const string One = """{"id":"f1","subject":"Ada Morin","relation":"born_in","object":"Ova"}""";

    [Fact]
    public void AWorldIsRead()
    {
        FactWorld world = Load(Relations, One + "\n");
        Fact fact = Assert.Single(world.Facts);
        Assert.Equal(new Fact("f1", "Ada Morin", "born_in", "Ova"), fact);
        Relation relation = world.RelationOf(fact);
        Assert.Equal("Where was Ada Morin born? Answer:", Relation.Ask(relation.Wordings[1], fact.Subject));
        Assert.Equal("{s} was born in", Assert.Single(relation.Statements));
        Assert.Equal(["Ova", "Nebek"], relation.Objects);
    }

    [Theory]
    [InlineData("[]", One, "facts.jsonl, line 1", "'born_in'")]
    [InlineData(Relations, "{\"id\":\"f1\"}", "facts.jsonl, line 1", "subject is missing")]
    [InlineData(Relations, One + "\n{oops", "facts.jsonl, line 2", "invalid JSON")]
    [InlineData(Relations, One + "\n" + One, "facts.jsonl, line 2", "comes twice")]
    [InlineData(Relations, "{\"id\":\"f1\",\"subject\":\"A\",\"relation\":\"died_in\",\"object\":\"O\"}", "facts.jsonl, line 1", "'died_in'")]
    [InlineData("[{\"id\":\"r\",\"wordings\":[\"no place\"],\"objects\":[\"x\"]}]", One, "relations.json, line 1", "must hold {s} once")]
    [InlineData("[{\"id\":\"r\",\"wordings\":[],\"objects\":[\"x\"]}]", One, "relations.json, line 1", "0 wordings")]
    public void BrokenFilesAreNamedWithTheLine(string relations, string facts, string where, string what)
    {
        string message = Assert.Throws<DatasetException>(() => Load(relations, facts)).Message;
        Assert.Contains(where, message, StringComparison.Ordinal);
        Assert.Contains(what, message, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingFileIsNamed()
    {
        using TemporaryFolder folder = new();
        Assert.Contains("relations.json", Assert.Throws<DatasetException>(() => FactWorld.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    private static FactWorld Load(string relations, string facts)
    {
        using TemporaryFolder folder = new();
        folder.WriteText("relations.json", relations);
        folder.WriteText("facts.jsonl", facts);
        return FactWorld.Load(folder.Path);
    }
}
