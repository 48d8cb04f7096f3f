namespace ElderManaged.Evaluation.Datasets;

/// <summary>The forms of edit files.</summary>
public enum EditDatasetFormat
{
    /// <summary>Decide by the first record.</summary>
    Auto,

    /// <summary>CounterFact (Meng et al. 2022): <c>requested_rewrite</c>, <c>paraphrase_prompts</c>, <c>neighborhood_prompts</c>.</summary>
    CounterFact,

    /// <summary>ZsRE as used by MEND (Mitchell et al. 2022): <c>src</c>, <c>answers</c>, <c>alt</c>, <c>rephrase</c>, <c>loc</c>.</summary>
    ZsreMend,

    /// <summary>ZsRE as used by GRACE (Hartvigsen et al. 2023): <c>input</c>, <c>output</c>, <c>filtered_rephrases</c>.</summary>
    ZsreGrace,

    /// <summary>JSON with <c>prompt</c>, <c>target</c> and optionally <c>id</c>, <c>subject</c>, <c>rephrasings</c>.</summary>
    Plain,

    /// <summary>CSV (RFC 4180) with a header line and the columns of <see cref="Plain"/>; rephrasings are separated by <c> | </c>.</summary>
    Csv,
}

/// <summary>Which answer a ZsRE edit teaches.</summary>
public enum ZsreTarget
{
    /// <summary>The right answer, <c>answers[0]</c>, as in the ROME and MEMIT experiments.</summary>
    Answers,

    /// <summary>The changed answer, <c>alt</c>, as in MEND; records without one are skipped.</summary>
    Alt,
}

/// <summary>How an edit file is read.</summary>
public sealed record EditDatasetOptions
{
    /// <summary>The form of the file.</summary>
    public EditDatasetFormat Format { get; init; } = EditDatasetFormat.Auto;

    /// <summary>Which answer a ZsRE edit teaches.</summary>
    public ZsreTarget ZsreTarget { get; init; } = ZsreTarget.Answers;

    /// <summary>Stop after this many records; null for all. Lines after the last one taken are not checked.</summary>
    public int? Limit { get; init; }

    /// <summary>
    /// Take only records with at least one rephrasing, as the paper's protocol does; plain files and CSV are taken whole.
    /// </summary>
    public bool RequireRephrasing { get; init; }
}
