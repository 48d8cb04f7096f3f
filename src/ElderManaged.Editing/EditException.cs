namespace ElderManaged.Editing;

/// <summary>An edit, its stream or its saved state cannot be used; the message names what and says what to do.</summary>
public sealed class EditException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">One sentence: what is wrong, with names and sizes, and what to do.</param>
    /// <param name="inner">The underlying error, if any.</param>
    public EditException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>A text as it is quoted in messages: control characters made visible, long texts shortened.</summary>
    internal static string Quote(string text)
    {
        const int Longest = 60;
        string shown = text.Length > Longest ? text[..Longest] + "…" : text;
        return "'" + string.Concat(shown.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? $"\\u{(int)c:x4}" : c.ToString())) + "'";
    }
}
