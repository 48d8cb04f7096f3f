namespace ElderManaged.Editing.Journal;

/// <summary>Teaches an editor again what a list of records says.</summary>
public static class EditReplay
{
    /// <summary>Applies the records after <paramref name="from"/> to an editor that is in the state after it.</summary>
    /// <param name="editor">The editor to continue.</param>
    /// <param name="create">Makes a fresh editor, needed where one cannot forget by itself.</param>
    /// <param name="records">All records from number 1.</param>
    /// <param name="from">The number of the last record that the editor knows.</param>
    /// <param name="encoder">The encoder of the stream.</param>
    /// <param name="cancellationToken">Stops between and inside batches.</param>
    /// <returns>The editor after the last record: the same one, or a fresh one.</returns>
    public static IModelEditor Continue(
        IModelEditor editor, Func<IModelEditor> create, IReadOnlyList<JournalRecord> records, long from, EditEncoder encoder,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(editor);
        ArgumentNullException.ThrowIfNull(create);
        ArgumentNullException.ThrowIfNull(records);
        ArgumentNullException.ThrowIfNull(encoder);
        bool relearns = editor is not IForgettingEditor;
        Dictionary<string, int> forgotten = new(StringComparer.Ordinal); // fact → its last "forget" record
        if (relearns)
        {
            int last = -1;
            for (int i = 0; i < records.Count; i++)
            {
                if (records[i].Forgotten is { } fact)
                {
                    forgotten[fact] = last = i;
                }
            }

            // Only the last dropped fact matters: what came before it is learned anew without the dropped ones anyway.
            if (last >= from)
            {
                editor = create();
                from = 0;
            }
        }

        for (int i = (int)from; i < records.Count; i++)
        {
            JournalRecord record = records[i];
            if (record.Forgotten is { } fact)
            {
                (editor as IForgettingEditor)?.Forget(fact);
                continue;
            }

            List<EncodedEdit> batch = [.. record.Edits.Select(encoder.Encode)];
            if (relearns)
            {
                batch.RemoveAll(edit => forgotten.TryGetValue(edit.FactId, out int last) && last > i);
            }

            if (batch.Count > 0)
            {
                editor.Edit(batch, cancellationToken);
            }
        }

        return editor;
    }
}
