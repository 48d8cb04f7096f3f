using System.Text.Json;

namespace ElderManaged.Evaluation.Datasets;

/// <summary>The edits of a file. Immutable.</summary>
public sealed class EditDataset
{
    private EditDataset(string path, string sha256, EditDatasetFormat format, IReadOnlyList<EditRecord> records, int skipped)
    {
        Path = path;
        Sha256 = sha256;
        Format = format;
        Records = records;
        Skipped = skipped;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>SHA-256 of the file, lower-case hexadecimal: says in a report which data was used.</summary>
    public string Sha256 { get; }

    /// <summary>The form found or asked for; never <see cref="EditDatasetFormat.Auto"/>.</summary>
    public EditDatasetFormat Format { get; }

    /// <summary>The edits in the order of the file.</summary>
    public IReadOnlyList<EditRecord> Records { get; }

    /// <summary>How many records were passed over for want of an alternative target or a rephrasing.</summary>
    public int Skipped { get; }

    /// <summary>Reads a file of edits.</summary>
    /// <param name="path">A JSON array, JSON Lines or CSV file in UTF-8, in one of the forms of <see cref="EditDatasetFormat"/>.</param>
    /// <param name="options">How to read it; null for the defaults.</param>
    /// <exception cref="DatasetException">The file cannot be read or a record is not as it should be; nothing is skipped silently for being wrong.</exception>
    public static EditDataset Load(string path, EditDatasetOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new EditDatasetOptions();
        if (options.Limit is int limit)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1, nameof(options));
        }

        DatasetFile file = DatasetFile.Read(path);
        EditDatasetFormat format = options.Format == EditDatasetFormat.Auto ? Detect(file) : options.Format;
        IEnumerable<EditRecord?> source = format == EditDatasetFormat.Csv ? CsvRecords.Read(file) : JsonRecords(file, format, options.ZsreTarget);

        // What users write themselves is taught as it is; only the benchmarks' protocol wants something held out.
        bool needsRephrasing = options.RequireRephrasing && format is not (EditDatasetFormat.Plain or EditDatasetFormat.Csv);
        var records = new List<EditRecord>();
        var ids = new HashSet<string>(StringComparer.Ordinal);
        int skipped = 0;
        foreach (EditRecord? record in source)
        {
            if (record is null || (needsRephrasing && record.Rephrasings.Count == 0))
            {
                skipped++;
                continue;
            }

            if (!ids.Add(record.Id))
            {
                throw new DatasetException(path, null, $"the id '{record.Id}' is used twice; ids must differ");
            }

            records.Add(record);
            if (records.Count == options.Limit)
            {
                break;
            }
        }

        if (records.Count == 0)
        {
            throw new DatasetException(path, null, skipped == 0
                ? "has no records"
                : $"all {skipped} records lack {(needsRephrasing ? "a rephrasing or the chosen kind of target" : "an alternative target (use the answers instead)")}");
        }

        return new EditDataset(path, file.Sha256, format, records, skipped);
    }

    private static IEnumerable<EditRecord?> JsonRecords(DatasetFile file, EditDatasetFormat format, ZsreTarget target)
    {
        int number = 0;
        foreach ((int line, JsonElement element) in file.JsonRecords())
        {
            number++;
            if (element.ValueKind != JsonValueKind.Object)
            {
                throw new DatasetException(file.Path, line, $"record {number} is not a JSON object");
            }

            var record = new RecordReader(file.Path, line, number, element);
            yield return format switch
            {
                EditDatasetFormat.CounterFact => RecordForms.CounterFact(record),
                EditDatasetFormat.ZsreMend => RecordForms.ZsreMend(record, target),
                EditDatasetFormat.ZsreGrace => RecordForms.ZsreGrace(record, target),
                EditDatasetFormat.Plain => RecordForms.Plain(record),
                _ => throw new ArgumentOutOfRangeException(nameof(format), format, "Not a JSON form."),
            };
        }
    }

    private static EditDatasetFormat Detect(DatasetFile file)
    {
        if (file.FirstCharacter() is not ((byte)'{' or (byte)'['))
        {
            return EditDatasetFormat.Csv;
        }

        foreach ((int line, JsonElement record) in file.JsonRecords())
        {
            bool Has(string field) => record.ValueKind == JsonValueKind.Object && record.TryGetProperty(field, out _);
            return Has("requested_rewrite") ? EditDatasetFormat.CounterFact
                : Has("src") ? EditDatasetFormat.ZsreMend
                : Has("input") && Has("output") ? EditDatasetFormat.ZsreGrace
                : Has("prompt") || Has("target") ? EditDatasetFormat.Plain
                : throw new DatasetException(file.Path, line, "is of no known form: expected CounterFact (requested_rewrite), ZsRE (src, or input and output), or plain edits (prompt and target)");
        }

        throw new DatasetException(file.Path, null, "has no records");
    }
}
