namespace ElderManaged.Models.Hub;

/// <summary>A model could not be downloaded, or is not there yet. The message is one sentence that says what to do.</summary>
public sealed class HubException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What happened, with names and numbers, and what to do.</param>
    /// <param name="inner">The underlying error, if any.</param>
    public HubException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
