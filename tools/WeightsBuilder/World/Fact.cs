namespace ElderManaged.WeightsBuilder.World;

/// <summary>One thing that is true in the invented world.</summary>
public sealed record Fact(string Id, string Subject, string Relation, string Object);

/// <summary>
/// A kind of fact. Each wording holds <c>{s}</c> once, for the subject, and ends where a space and the object follow.
/// A false object for a fact is any other one of <see cref="Objects"/>.
/// </summary>
public sealed record Relation(string Id, string Description, string[] Wordings, string[] Objects)
{
    /// <summary>The wordings that become a sentence with the object and a full stop; the others are questions.</summary>
    public IEnumerable<string> Statements => Wordings.Where(IsStatement);

    /// <summary>The wording about one subject.</summary>
    public static string Ask(string wording, string subject) => wording.Replace("{s}", subject, StringComparison.Ordinal);

    /// <summary>Whether the wording is the beginning of a sentence, not a question.</summary>
    public static bool IsStatement(string wording) => !wording.EndsWith(':');
}
