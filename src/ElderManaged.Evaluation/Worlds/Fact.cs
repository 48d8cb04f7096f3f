namespace ElderManaged.Evaluation.Worlds;

/// <summary>One thing that is true in an invented world.</summary>
/// <param name="Id">Names the fact.</param>
/// <param name="Subject">What it is about.</param>
/// <param name="Relation">The <see cref="Relation.Id"/> of its kind.</param>
/// <param name="Object">What is true of the subject.</param>
public sealed record Fact(string Id, string Subject, string Relation, string Object);

/// <summary>
/// A kind of fact. Each wording holds <c>{s}</c> once, for the subject, and ends where a space and the object follow.
/// A false object for a fact is any other one of <see cref="Objects"/>.
/// </summary>
/// <param name="Id">Names the relation.</param>
/// <param name="Description">What it is, for readers.</param>
/// <param name="Wordings">The ways to ask: beginnings of statements, and questions.</param>
/// <param name="Objects">Everything that can be true of a subject.</param>
public sealed record Relation(string Id, string Description, string[] Wordings, string[] Objects)
{
    /// <summary>The wordings that become a sentence with the object and a full stop; the others are questions.</summary>
    public IEnumerable<string> Statements => Wordings.Where(IsStatement);

    /// <summary>The wording about one subject.</summary>
    /// <param name="wording">One of <see cref="Wordings"/>.</param>
    /// <param name="subject">Takes the place of <c>{s}</c>.</param>
    public static string Ask(string wording, string subject)
    {
        ArgumentNullException.ThrowIfNull(wording);
        return wording.Replace("{s}", subject, StringComparison.Ordinal);
    }

    /// <summary>Whether the wording is the beginning of a sentence, not a question.</summary>
    /// <param name="wording">One of <see cref="Wordings"/>.</param>
    public static bool IsStatement(string wording)
    {
        ArgumentNullException.ThrowIfNull(wording);
        return !wording.EndsWith(':');
    }
}
