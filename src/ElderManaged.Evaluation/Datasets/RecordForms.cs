using ElderManaged.Editing;

namespace ElderManaged.Evaluation.Datasets;

/// <summary>Makes an <see cref="EditRecord"/> from a record of each JSON form; null when the record has no target of the kind asked for.</summary>
internal static class RecordForms
{
    internal static EditRecord CounterFact(RecordReader record)
    {
        RecordReader rewrite = record.Object("requested_rewrite");
        string template = rewrite.Text("prompt");
        string subject = rewrite.Text("subject");
        string[] parts = template.Split("{}");
        if (parts.Length != 2)
        {
            throw record.Error($"requested_rewrite.prompt has {parts.Length - 1} places {{}} for the subject, not one");
        }

        string truth = rewrite.Object("target_true").Text("str");
        string id = record.OptionalId("case_id") ?? record.Number;
        return new EditRecord(
            id,
            new EditRequest((parts[0] + subject + parts[1]).Trim(), rewrite.Object("target_new").Text("str")) { Subject = subject, FactId = id },
            record.Texts("paraphrase_prompts"),
            [.. record.Texts("neighborhood_prompts").Select(prompt => new LocalityProbe(prompt, truth))],
            truth);
    }

    internal static EditRecord? ZsreMend(RecordReader record, ZsreTarget target)
    {
        string prompt = record.Text("src");
        string? truth = First(record.Texts("answers"));
        string? taught = target == ZsreTarget.Alt
            ? record.OptionalText("alt")
            : truth ?? throw record.Error("answers has no answer that is not blank");
        if (taught is null)
        {
            return null;
        }

        string? subject = record.OptionalText("subject");
        string? rephrasing = record.OptionalText("rephrase");
        string? question = record.OptionalText("loc");
        string id = record.OptionalId("id") ?? record.Number;
        return new EditRecord(
            id,
            new EditRequest(prompt, taught) { Subject = Occurring(subject, prompt), FactId = id },
            rephrasing is null ? [] : [rephrasing],
            question is null ? [] : [new LocalityProbe(question.EndsWith('?') ? question : question + "?", record.OptionalText("loc_ans") ?? "")],
            target == ZsreTarget.Alt ? truth : null);
    }

    internal static EditRecord? ZsreGrace(RecordReader record, ZsreTarget target)
    {
        string prompt = record.Text("input");

        // In the KILT form that GRACE reads, outputs may hold evidence without an answer.
        string? truth = record.Objects("output").Select(output => output.OptionalText("answer")).FirstOrDefault(answer => answer is not null);
        string? taught = target == ZsreTarget.Alt
            ? First(record.Texts("alternatives"))
            : truth ?? throw record.Error("output has no answer that is not blank");
        if (taught is null)
        {
            return null;
        }

        string id = record.OptionalId("id") ?? record.Number;
        return new EditRecord(
            id,
            new EditRequest(prompt, taught) { Subject = Occurring(record.OptionalText("subject"), prompt), FactId = id },
            record.Texts("filtered_rephrases"),
            [],
            target == ZsreTarget.Alt ? truth : null);
    }

    internal static EditRecord Plain(RecordReader record) =>
        Plain(record.Error, record.OptionalId("id") ?? record.Number, record.Text("prompt"), record.Text("target"), record.OptionalText("subject"), record.Texts("rephrasings"));

    /// <summary>From fields already trimmed and known not to be blank.</summary>
    internal static EditRecord Plain(Func<string, DatasetException> error, string id, string prompt, string target, string? subject, IReadOnlyList<string> rephrasings)
    {
        if (subject is not null && Occurring(subject, prompt) is null)
        {
            throw error($"the subject '{subject}' does not occur in the prompt '{prompt}'");
        }

        return new EditRecord(id, new EditRequest(prompt, target) { Subject = subject, FactId = id }, rephrasings, [], null);
    }

    private static string? First(IReadOnlyList<string> texts) => texts.Count == 0 ? null : texts[0];

    private static string? Occurring(string? subject, string prompt) =>
        subject is not null && prompt.Contains(subject, StringComparison.Ordinal) ? subject : null;
}
