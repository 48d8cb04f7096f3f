using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ElderManaged.Tensors.Storage;

namespace ElderManaged.Editing.Journal;

/// <summary>
/// A folder that keeps an edited model: <c>state.json</c> (method, options, base model), <c>journal.jsonl</c> (everything
/// it was taught) and <c>snapshot-N</c> (the editor's numbers after record N). The base model stays where it is.
/// </summary>
/// <remarks>One writer at a time, in this or any process; not thread-safe.</remarks>
public sealed class EditState : IDisposable
{
    private const string InfoFile = "state.json", JournalFile = "journal.jsonl";
    private readonly EditSnapshots snapshots;

    private EditState(string folder, StateInfo info, EditJournal journal, Action<string>? reached)
    {
        Folder = folder;
        Info = info;
        Journal = journal;
        OptionsHash = HashOf(info.Method, info.Options);
        snapshots = new EditSnapshots(folder, reached);
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>What the state belongs to.</summary>
    public StateInfo Info { get; }

    /// <summary>Everything the editor was taught.</summary>
    public EditJournal Journal { get; }

    /// <summary>SHA-256 of method and options, which every record carries.</summary>
    public string OptionsHash { get; }

    /// <summary>A snapshot is written whenever this many records have gathered; 0 for none but those asked for.</summary>
    public int SnapshotEvery { get; set; } = 16;

    /// <summary>Makes a state in a folder that holds none yet.</summary>
    /// <exception cref="EditException">There is one already, or another process is making one.</exception>
    public static EditState Create(string folder, StateInfo info) => Create(folder, info, null);

    internal static EditState Create(string folder, StateInfo info, Action<string>? reached)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(info);
        Directory.CreateDirectory(folder);
        reached?.Invoke("folder made");
        EditJournal journal = EditJournal.Open(Path.Combine(folder, JournalFile), reached);
        try
        {
            reached?.Invoke("journal made");
            if (File.Exists(Path.Combine(folder, InfoFile)) || journal.Records.Count > 0)
            {
                throw new EditException($"{folder} already holds an edited model with {journal.Records.Count} records; open it, or choose another folder.");
            }

            // Last, so that a folder with this file is a whole state.
            AtomicFile.Write(Path.Combine(folder, InfoFile), stream => JsonSerializer.Serialize(stream, info, JournalJson.Default.StateInfo));
            reached?.Invoke("state made");
            return new EditState(folder, info, journal, reached);
        }
        catch
        {
            journal.Dispose();
            throw;
        }
    }

    /// <summary>Opens a state and checks its journal.</summary>
    /// <exception cref="EditException">There is none, it is damaged, in use, or of a later version.</exception>
    public static EditState Open(string folder) => Open(folder, null);

    internal static EditState Open(string folder, Action<string>? reached)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        StateInfo info = ReadInfo(folder);
        EditJournal journal = EditJournal.Open(Path.Combine(folder, JournalFile), reached);
        try
        {
            EditState state = new(folder, info, journal, reached);
            foreach (JournalRecord record in journal.Records)
            {
                if (record.OptionsHash != state.OptionsHash || record.ModelHash != info.ModelHash)
                {
                    throw new EditException($"{folder}: record {record.Sequence} of the journal was made with other options or over another base model than state.json says; the two files do not belong together.");
                }
            }

            return state;
        }
        catch
        {
            journal.Dispose();
            throw;
        }
    }

    /// <summary>Reads <c>state.json</c> without opening the state for writing.</summary>
    /// <exception cref="EditException">There is none, or it cannot be read.</exception>
    public static StateInfo ReadInfo(string folder)
    {
        string path = Path.Combine(folder, InfoFile);
        try
        {
            StateInfo info = JsonSerializer.Deserialize(File.ReadAllBytes(path), JournalJson.Default.StateInfo)
                ?? throw new EditException($"{path} is empty; restore it from a copy.");
            return info.Version == StateInfo.CurrentVersion
                ? info
                : throw new EditException($"{path} has the version {info.Version}; this library reads version {StateInfo.CurrentVersion}. Use the library that wrote it ({info.Library}).");
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new EditException($"{folder} holds no edited model: there is no {InfoFile}. If making it was interrupted, nothing is lost; make it again.", exception);
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new EditException($"{path} cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Whether a folder holds a whole state.</summary>
    public static bool Exists(string folder) => File.Exists(Path.Combine(folder, InfoFile));

    /// <summary>SHA-256 of a method and its options.</summary>
    public static string HashOf(string method, string options) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{method}\n{options}")));

    /// <summary>Acknowledges a batch, or a dropped fact: on return it survives a crash.</summary>
    /// <param name="edits">The batch; empty for a dropped fact.</param>
    /// <param name="forgotten">The dropped fact, or null.</param>
    public void Append(IReadOnlyList<EditRequest> edits, string? forgotten = null) => AppendAll([(edits, forgotten)]);

    internal void AppendAll(IEnumerable<(IReadOnlyList<EditRequest> Edits, string? Forgotten)> steps) =>
        Journal.AppendAll([.. steps.Select((step, i) => new JournalRecord
        {
            Sequence = Journal.LastSequence + 1 + i,
            Edits = step.Edits,
            Forgotten = step.Forgotten,
            OptionsHash = OptionsHash,
            ModelHash = Info.ModelHash,
        })]);

    /// <summary>Writes a snapshot if enough records have gathered.</summary>
    public void SaveSnapshotIfDue(IPersistentEditor editor)
    {
        if (SnapshotEvery > 0 && Journal.LastSequence % SnapshotEvery == 0)
        {
            SaveSnapshot(editor);
        }
    }

    /// <summary>Writes the editor's state, which must be that after the journal's last record.</summary>
    public void SaveSnapshot(IPersistentEditor editor)
    {
        ArgumentNullException.ThrowIfNull(editor);
        snapshots.Write(Journal.LastSequence, editor.Save);
    }

    /// <summary>
    /// The editor after the journal's last record: the newest complete snapshot, then every later record again. Learning
    /// is deterministic, so the numbers are those of an editor that never stopped, bit for bit.
    /// </summary>
    /// <param name="create">Makes a fresh editor with the state's options.</param>
    /// <param name="encoder">The encoder of the state's stream.</param>
    /// <param name="cancellationToken">Stops between and inside batches; the state stays as it was.</param>
    public IPersistentEditor Restore(Func<IPersistentEditor> create, EditEncoder encoder, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(create);
        ArgumentNullException.ThrowIfNull(encoder);
        IPersistentEditor editor = create();
        long from = 0;
        if (snapshots.Newest(Journal.LastSequence) is { } newest)
        {
            editor.Load(newest.Path);
            from = newest.Sequence;
        }

        return (IPersistentEditor)EditReplay.Continue(editor, create, Journal.Records, from, encoder, cancellationToken);
    }

    /// <summary>Closes the journal.</summary>
    public void Dispose() => Journal.Dispose();
}
