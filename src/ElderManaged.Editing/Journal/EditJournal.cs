using System.Globalization;
using System.Text;
using System.Text.Json;

namespace ElderManaged.Editing.Journal;

/// <summary>
/// The append-only list of everything an editor was taught. A record is on the disk before its batch is acknowledged,
/// so a crash at any moment loses nothing that was acknowledged.
/// </summary>
/// <remarks>
/// <para>
/// Each record is one line, valid JSON, that states its own length and checksum first:
/// <c>{"bytes":"0000008c","crc32":"cbf43926","record":{…}}</c>. A last line that ends too early was being written when the
/// process died and is cut off; a complete line with a wrong checksum is damage and an error.
/// </para>
/// <para>The file is open exclusively: a second writer gets an error. Not thread-safe.</para>
/// </remarks>
public sealed class EditJournal : IDisposable
{
    private const string Before = "{\"bytes\":\"", Between = "\",\"crc32\":\"", BeforeRecord = "\",\"record\":", After = "}\n";
    private const int PrefixLength = 10 + 8 + 11 + 8 + 11;
    private const int DiskBlock = 512; // the smallest unit a disk writes
    private readonly FileStream file;
    private readonly List<JournalRecord> records = [];
    private readonly Action<string>? reached;
    private bool failed;

    private EditJournal(string path, FileStream file, Action<string>? reached)
    {
        Path = path;
        this.file = file;
        this.reached = reached;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>All records, oldest first.</summary>
    public IReadOnlyList<JournalRecord> Records => records;

    /// <summary>The number of the last record; 0 when there is none.</summary>
    public long LastSequence => records.Count == 0 ? 0 : records[^1].Sequence;

    /// <summary>How many bytes of an unfinished record were cut off at opening.</summary>
    public long TornBytes { get; private set; }

    /// <summary>Opens or creates a journal, checks every record and cuts off an unfinished last one.</summary>
    /// <exception cref="EditException">Another writer has it open, or a record is damaged.</exception>
    public static EditJournal Open(string path) => Open(path, null);

    /// <param name="path">The file.</param>
    /// <param name="reached">Told at every step of writing, where tests let the process "die".</param>
    internal static EditJournal Open(string path, Action<string>? reached)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        FileStream file;
        try
        {
            file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EditException($"The journal {path} cannot be opened for writing; is another process or session editing this state? ({exception.Message})", exception);
        }

        try
        {
            EditJournal journal = new(path, file, reached);
            journal.ReadAll();
            return journal;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Writes a record and forces it to the disk; when this returns, the record survives a crash.</summary>
    /// <exception cref="EditException">The disk refused; the journal takes no more records until it is opened again.</exception>
    public void Append(JournalRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        AppendAll([record]);
    }

    /// <summary>Writes several records at once, for a copy of a journal.</summary>
    internal void AppendAll(IReadOnlyList<JournalRecord> added)
    {
        if (failed)
        {
            throw new EditException($"The journal {Path} failed before; open the state again to continue from the last acknowledged batch.");
        }

        for (int i = 0; i < added.Count; i++)
        {
            if (added[i].Sequence != LastSequence + 1 + i)
            {
                throw new ArgumentException($"The journal's next record has the number {LastSequence + 1 + i}, not {added[i].Sequence}.");
            }
        }

        byte[] lines = [.. added.SelectMany(Line)];
        long start = file.Length;
        failed = true;
        try
        {
            reached?.Invoke("before the record");
            file.Position = start;
            file.Write(lines);
            reached?.Invoke("record written");
            file.Flush(flushToDisk: true);
            reached?.Invoke("record on disk");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            CutBack(start);
            throw new EditException($"The journal {Path} could not be written ({exception.Message}); the batch is not acknowledged. Free some space and open the state again.", exception);
        }

        failed = false;
        records.AddRange(added);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => file.Dispose();

    internal static byte[] Line(JournalRecord record)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(record, JournalJson.Default.JournalRecord);
        string prefix = string.Create(CultureInfo.InvariantCulture, $"{Before}{json.Length:x8}{Between}{Crc32.Of(json):x8}{BeforeRecord}");
        return [.. Encoding.ASCII.GetBytes(prefix), .. json, .. "}\n"u8];
    }

    private void CutBack(long length)
    {
        try
        {
            file.SetLength(length);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The next opening recognises the unfinished record and cuts it off.
        }
    }

    private void ReadAll()
    {
        if (file.Length > Array.MaxLength)
        {
            throw new EditException($"The journal {Path} has {file.Length} bytes, more than the {Array.MaxLength} that can be read.");
        }

        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        int at = 0;
        while (at < bytes.Length)
        {
            ReadOnlySpan<byte> rest = bytes.AsSpan(at);
            if (Length(rest) is not int length)
            {
                if (!IsTorn(rest, at))
                {
                    throw Damaged(at, "its first bytes are not those of a record");
                }

                break;
            }

            int whole = PrefixLength + length + After.Length;
            if (whole > rest.Length)
            {
                // Either the process died here, or the length itself is damaged; after a tear no line can follow.
                if (rest[PrefixLength..].IndexOf((byte)'\n') >= 0)
                {
                    throw Damaged(at, $"it states {length} bytes, but the line is shorter");
                }

                break;
            }

            ReadOnlySpan<byte> json = rest.Slice(PrefixLength, length);
            string checksum = string.Create(CultureInfo.InvariantCulture, $"{Crc32.Of(json):x8}");
            if (!Is(rest.Slice(29, 8), checksum) || !Is(rest.Slice(whole - After.Length, After.Length), After))
            {
                if (whole == rest.Length && HasUnwrittenBlock(rest))
                {
                    break;
                }

                throw Damaged(at, "its checksum does not fit");
            }

            Take(json, at);
            at += whole;
        }

        TornBytes = bytes.Length - at;
        if (TornBytes > 0)
        {
            file.SetLength(at);
            file.Flush(flushToDisk: true);
        }
    }

    private void Take(ReadOnlySpan<byte> json, int at)
    {
        JournalRecord? record;
        try
        {
            record = JsonSerializer.Deserialize(json, JournalJson.Default.JournalRecord);
        }
        catch (JsonException exception)
        {
            throw Damaged(at, $"it cannot be read ({exception.Message})");
        }

        if (record is null || record.Sequence != LastSequence + 1)
        {
            throw Damaged(at, $"its number is {record?.Sequence ?? 0}, expected {LastSequence + 1}");
        }

        records.Add(record);
    }

    // The stated length, or null if the line does not start as every record does.
    private static int? Length(ReadOnlySpan<byte> line)
    {
        bool whole = line.Length >= PrefixLength
            && Is(line[..10], Before) && Is(line.Slice(18, 11), Between) && Is(line.Slice(37, 11), BeforeRecord);
        return whole && int.TryParse(line.Slice(10, 8), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int length)
            && length is >= 0 and < int.MaxValue / 2
            ? length
            : null;
    }

    private static bool Is(ReadOnlySpan<byte> bytes, string ascii) => Ascii.Equals(bytes, ascii);

    // Too short to state its length, or beginning with a block that never reached the disk.
    private static bool IsTorn(ReadOnlySpan<byte> rest, int at)
    {
        int zeros = rest.IndexOfAnyExcept((byte)0);
        if (zeros != 0)
        {
            return zeros < 0 || ((at + zeros) % DiskBlock == 0 && rest[..^1].IndexOf((byte)'\n') < 0);
        }

        int known = Math.Min(rest.Length, Before.Length);
        return rest.Length < PrefixLength && Is(rest[..known], Before[..known]) && rest.IndexOf((byte)'\n') < 0;
    }

    // What a file was given to grow by and never got reads as zeros; a record contains none.
    private static bool HasUnwrittenBlock(ReadOnlySpan<byte> line) => line[^1] == 0 || line.IndexOf(new byte[DiskBlock]) >= 0;

    private EditException Damaged(int at, string what) => new(
        $"The journal {Path} is damaged: record {LastSequence + 1} at byte {at}: {what}. Restore the file from a copy; records 1 to {LastSequence} before it are intact.");
}
