using System.Text.Json;
using ElderManaged.Evaluation.Datasets;

namespace ElderManaged.Evaluation.Worlds;

/// <summary>Reads a world's files; every complaint names the file and, where there is one, the line.</summary>
internal static class WorldReader
{
    internal static FactWorld Read(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        IReadOnlyList<Relation> relations = Relations(Path.Combine(folder, "relations.json"));
        return new FactWorld(relations, Facts(Path.Combine(folder, "facts.jsonl"), relations));
    }

    private static List<Relation> Relations(string path)
    {
        DatasetFile file = DatasetFile.Read(path);
        List<Relation> relations = [];
        HashSet<string> ids = new(StringComparer.Ordinal);
        foreach (RecordReader record in Records(file))
        {
            Relation relation = new(
                record.Text("id"), record.OptionalText("description") ?? "", [.. record.Texts("wordings")], [.. record.Texts("objects")]);
            if (!ids.Add(relation.Id))
            {
                throw record.Error($"the relation '{relation.Id}' comes twice");
            }

            if (relation.Wordings.FirstOrDefault(w => w.Split("{s}").Length != 2) is { } wording)
            {
                throw record.Error($"the wording '{wording}' must hold {{s}} once, for the subject");
            }

            if (relation.Wordings.Length == 0 || relation.Objects.Length == 0)
            {
                throw record.Error($"the relation '{relation.Id}' has {relation.Wordings.Length} wordings and {relation.Objects.Length} objects; both need at least one");
            }

            relations.Add(relation);
        }

        return relations;
    }

    private static List<Fact> Facts(string path, IReadOnlyList<Relation> relations)
    {
        DatasetFile file = DatasetFile.Read(path);
        HashSet<string> kinds = new(relations.Select(r => r.Id), StringComparer.Ordinal);
        HashSet<string> ids = new(StringComparer.Ordinal);
        List<Fact> facts = [];
        foreach (RecordReader record in Records(file))
        {
            Fact fact = new(record.Text("id"), record.Text("subject"), record.Text("relation"), record.Text("object"));
            if (!kinds.Contains(fact.Relation))
            {
                throw record.Error($"relation is '{fact.Relation}', which relations.json does not know");
            }

            if (!ids.Add(fact.Id))
            {
                throw record.Error($"the fact '{fact.Id}' comes twice");
            }

            facts.Add(fact);
        }

        return facts;
    }

    private static IEnumerable<RecordReader> Records(DatasetFile file)
    {
        int number = 0;
        foreach ((int line, JsonElement record) in file.JsonRecords())
        {
            number++;
            yield return record.ValueKind == JsonValueKind.Object
                ? new RecordReader(file.Path, line, number, record)
                : throw new DatasetException(file.Path, line, $"record {number} is not a JSON object");
        }
    }
}
