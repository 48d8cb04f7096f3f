using ElderManaged.Editing.Journal;
using ElderManaged.Testing;

namespace ElderManaged.Editing.Tests.Journal;

public sealed class EditStateTests : IDisposable
{
    private static readonly StateInfo Info = new() { Method = "counting", Options = "{}", ModelFolder = "m", ModelHash = "bb" };
    private readonly TemporaryFolder folder = new();

    private string Path => folder.File("state");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Whatever_step_the_process_dies_at_nothing_acknowledged_is_lost()
    {
        // Let the process "die" at the first step of writing, then at the second, and so on, until it survives.
        HashSet<string> places = [];
        for (int dies = 1; ; dies++)
        {
            int steps = 0, acknowledged = 0;
            bool survived = false;
            void Reached(string place)
            {
                if (++steps == dies)
                {
                    places.Add(place);
                    throw new SimulatedCrash();
                }
            }

            string path = folder.File($"state-{dies}");
            try
            {
                using EditState state = EditState.Create(path, Info, Reached);
                Learn(state, 5, () => acknowledged++);
                survived = true;
            }
            catch (SimulatedCrash)
            {
            }

            if (!File.Exists(System.IO.Path.Combine(path, "state.json")))
            {
                Assert.Equal(0, acknowledged);
                Assert.Contains("make it again", Assert.Throws<EditException>(() => EditState.Open(path)).Message);
                using EditState again = EditState.Create(path, Info); // the leftovers do not stand in the way
                continue;
            }

            using (EditState reopened = EditState.Open(path))
            {
                Assert.InRange(reopened.Journal.Records.Count, acknowledged, acknowledged + 1);
                Assert.Equal(Taught(reopened.Journal.Records.Count), Restore(reopened).State);
                Learn(reopened, 2, () => { });
                Assert.Equal(Taught(reopened.Journal.Records.Count), Restore(reopened).State);
            }

            if (survived)
            {
                break;
            }
        }

        Assert.Contains("snapshot files written", places);
        Assert.Contains("snapshot renamed", places);
        Assert.Contains("record written", places);
        Assert.Contains("journal made", places);
        Assert.Equal(11, places.Count);
    }

    [Fact]
    public void Only_what_came_after_the_newest_snapshot_is_learned_again()
    {
        using EditState state = EditState.Create(Path, Info);
        Learn(state, 5, () => { }); // snapshots after 2 and 4; the first is removed

        CountingEditor restored = Restore(state);

        Assert.Equal(1, restored.Batches);
        Assert.Equal(Taught(5), restored.State);
        Assert.Equal(["snapshot-000004"], Directory.GetDirectories(Path).Select(System.IO.Path.GetFileName));
    }

    [Theory]
    [InlineData("snapshot.json")]
    [InlineData("state.txt")]
    public void A_damaged_snapshot_costs_a_longer_replay_and_nothing_else(string file)
    {
        using EditState state = EditState.Create(Path, Info);
        Learn(state, 4, () => { });
        string damaged = System.IO.Path.Combine(Path, "snapshot-000004", file);
        File.WriteAllText(damaged, File.ReadAllText(damaged)[..^1]);

        CountingEditor restored = Restore(state);

        Assert.Equal(4, restored.Batches);
        Assert.Equal(Taught(4), restored.State);
    }

    [Fact]
    public void A_dropped_fact_is_as_if_it_had_never_been_taught_until_it_is_taught_again()
    {
        EditRequest other = new("Other is", "x") { FactId = "other" };
        using EditState state = EditState.Create(Path, Info);
        CountingEditor editor = new(TinyModels.Gpt2);
        void Teach(params EditRequest[] batch)
        {
            editor.Edit(TinyModels.Encode(TinyModels.Gpt2, batch));
            state.Append(batch);
        }

        Teach(Request(1), other);
        state.SaveSnapshot(editor);
        Teach(other);
        state.Append([], "other");
        Teach(Request(2));
        Teach(other, Request(3));

        CountingEditor expected = new(TinyModels.Gpt2);
        expected.Edit(TinyModels.Encode(TinyModels.Gpt2, [Request(1)]));
        expected.Edit(TinyModels.Encode(TinyModels.Gpt2, [Request(2)]));
        expected.Edit(TinyModels.Encode(TinyModels.Gpt2, [other, Request(3)]));
        CountingEditor restored = Restore(state);
        Assert.Equal(expected.State, restored.State);

        state.SaveSnapshot(restored);
        Assert.Equal(expected.State, Restore(state).State);
    }

    [Fact]
    public void A_state_is_made_once_and_has_one_writer()
    {
        using (EditState state = EditState.Create(Path, Info))
        {
            Assert.Throws<EditException>(() => EditState.Open(Path));
            Learn(state, 1, () => { });
        }

        Assert.Contains("1 records", Assert.Throws<EditException>(() => EditState.Create(Path, Info)).Message);
    }

    [Fact]
    public void A_journal_of_other_options_or_a_later_version_is_refused()
    {
        using (EditState state = EditState.Create(Path, Info))
        {
            Learn(state, 1, () => { });
        }

        string file = System.IO.Path.Combine(Path, "state.json"), text = File.ReadAllText(file);
        File.WriteAllText(file, text.Replace("\"counting\"", "\"lora\"", StringComparison.Ordinal));
        Assert.Contains("do not belong together", Assert.Throws<EditException>(() => EditState.Open(Path)).Message);
        File.WriteAllText(file, text.Replace("\"version\":1", "\"version\":2", StringComparison.Ordinal));
        Assert.Contains("version 2", Assert.Throws<EditException>(() => EditState.Open(Path)).Message);
        File.WriteAllText(file, text[..^3]);
        Assert.Contains("cannot be read", Assert.Throws<EditException>(() => EditState.Open(Path)).Message);
    }

    private static EditRequest Request(long number) => new($"Number {number} is", "taught");

    private static void Learn(EditState state, int count, Action acknowledged)
    {
        state.SnapshotEvery = 2;
        CountingEditor editor = Restore(state);
        for (int i = 0; i < count; i++)
        {
            EditRequest[] batch = [Request(state.Journal.LastSequence + 1)];
            editor.Edit(TinyModels.Encode(TinyModels.Gpt2, batch));
            state.Append(batch);
            acknowledged();
            state.SaveSnapshotIfDue(editor);
        }
    }

    private static CountingEditor Restore(EditState state) =>
        (CountingEditor)state.Restore(() => new CountingEditor(TinyModels.Gpt2), TinyModels.Gpt2.Encoder);

    private static ulong Taught(int count)
    {
        CountingEditor editor = new(TinyModels.Gpt2);
        for (int i = 1; i <= count; i++)
        {
            editor.Edit(TinyModels.Encode(TinyModels.Gpt2, [Request(i)]));
        }

        return editor.State;
    }

    private sealed class SimulatedCrash : Exception;
}
