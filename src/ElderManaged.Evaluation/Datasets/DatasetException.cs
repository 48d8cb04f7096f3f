namespace ElderManaged.Evaluation.Datasets;

/// <summary>A data file cannot be used; the message is one sentence with the file, the line and what is wrong.</summary>
public sealed class DatasetException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="file">The file.</param>
    /// <param name="line">The line, counted from 1; null when the file as a whole is meant.</param>
    /// <param name="problem">What is wrong, without the final full stop.</param>
    /// <param name="inner">The underlying error, if any.</param>
    public DatasetException(string file, int? line, string problem, Exception? inner = null)
        : base(line is null ? $"{file}: {problem}." : $"{file}, line {line}: {problem}.", inner)
    {
        File = file;
        Line = line;
    }

    /// <summary>The file.</summary>
    public string File { get; }

    /// <summary>The line, counted from 1, if one is to blame.</summary>
    public int? Line { get; }
}
