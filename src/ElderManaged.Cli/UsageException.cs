namespace ElderManaged.Cli;

/// <summary>An option or argument cannot be used; the message names it, its value and what is possible.</summary>
/// <param name="message">One sentence.</param>
internal sealed class UsageException(string message) : Exception(message);
