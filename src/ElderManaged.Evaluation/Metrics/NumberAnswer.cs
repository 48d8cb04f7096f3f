using System.Text.RegularExpressions;

namespace ElderManaged.Evaluation.Metrics;

/// <summary>Finds numbers in worked solutions, the way GSM8K answers are scored (Cobbe et al., 2021: the final number decides).</summary>
/// <remarks>
/// A number is an optional minus sign, digits with or without commas between groups of three, and an optional decimal part.
/// A minus directly after a letter, digit or closing bracket is subtraction, not a sign ("16-3" ends in 3).
/// Numbers come back in one canonical spelling, so that "1,000", "1000.0" and "01000" are equal as text, with any number of
/// digits and without rounding.
/// </remarks>
public static partial class NumberAnswer
{
    /// <summary>The last number of a text in canonical spelling, or null.</summary>
    /// <param name="text">Any text, for example a solution that ends in <c>#### 18</c>.</param>
    public static string? Last(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Match? last = null;
        for (Match match = Number().Match(text); match.Success; match = match.NextMatch())
        {
            last = match;
        }

        return last is null ? null : Canonical(last.Value);
    }

    /// <summary>The first number of a text in canonical spelling, or null: for short answers after which a model goes on writing.</summary>
    /// <param name="text">Any text.</param>
    public static string? First(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Match match = Number().Match(text);
        return match.Success ? Canonical(match.Value) : null;
    }

    /// <summary>Whether both texts end in the same number.</summary>
    /// <param name="prediction">What the model wrote.</param>
    /// <param name="answer">What is right; a text without a number is matched by nothing.</param>
    public static bool Matches(string prediction, string answer) => Last(answer) is string number && Last(prediction) == number;

    private static string Canonical(string number)
    {
        bool negative = number[0] == '-';
        string[] parts = number.TrimStart('-').Replace(",", "", StringComparison.Ordinal).Split('.');
        string whole = parts[0].TrimStart('0');
        string fraction = parts.Length > 1 ? parts[1].TrimEnd('0') : "";
        string magnitude = (whole.Length == 0 ? "0" : whole) + (fraction.Length == 0 ? "" : "." + fraction);
        return negative && magnitude != "0" ? "-" + magnitude : magnitude;
    }

    // Alternatives in order: groups of three that end where the digits end; plain digits; a decimal part alone.
    [GeneratedRegex(@"(?:(?<![\p{L}\p{N})\]])-)?(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+)", RegexOptions.CultureInvariant)]
    private static partial Regex Number();
}
