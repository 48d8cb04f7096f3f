using System.Text.Json;
using ElderManaged.Editing.Journal;
using ElderManaged.Testing;

namespace ElderManaged.Editing.Tests.Journal;

public sealed class EditJournalTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Path => folder.File("journal.jsonl");

    public void Dispose() => folder.Dispose();

    internal static JournalRecord Record(long sequence) => new()
    {
        Sequence = sequence,
        Edits = sequence % 3 == 0 ? [] : [new EditRequest($"Who is ünïcode {sequence}?", "An \"answer\"\n") { Subject = "ünïcode" }, new EditRequest("a b", "c") { FactId = "f" }],
        Forgotten = sequence % 3 == 0 ? "f" : null,
        OptionsHash = "aa",
        ModelHash = "bb",
    };

    [Fact]
    public void Checksum_is_that_of_the_standard() => Assert.Equal(0xCBF43926u, Crc32.Of("123456789"u8));

    [Fact]
    public void What_was_appended_is_read_again_and_every_line_is_json()
    {
        Write(4);

        using (EditJournal journal = EditJournal.Open(Path))
        {
            Assert.Equal(4, journal.LastSequence);
            AssertSame([Record(1), Record(2), Record(3), Record(4)], journal.Records);
        }

        foreach (string line in File.ReadAllLines(Path))
        {
            using JsonDocument document = JsonDocument.Parse(line);
            Assert.Equal(JsonValueKind.Object, document.RootElement.GetProperty("record").ValueKind);
        }
    }

    [Fact]
    public void Cut_at_any_byte_the_whole_records_stay_and_writing_goes_on()
    {
        Write(3);
        byte[] bytes = File.ReadAllBytes(Path);
        int[] ends = [.. Enumerable.Range(0, bytes.Length).Where(i => bytes[i] == '\n').Select(i => i + 1)];
        Assert.Equal(3, ends.Length);
        for (int length = 0; length < bytes.Length; length++)
        {
            File.WriteAllBytes(Path, bytes[..length]);
            int whole = ends.Count(end => end <= length);
            using (EditJournal journal = EditJournal.Open(Path))
            {
                Assert.Equal(whole, journal.Records.Count);
                Assert.Equal(length - (whole == 0 ? 0 : ends[whole - 1]), journal.TornBytes);
                journal.Append(Record(whole + 1));
            }

            using EditJournal again = EditJournal.Open(Path);
            AssertSame([.. Enumerable.Range(1, whole + 1).Select(i => Record(i))], again.Records);
            Assert.Equal(0, again.TornBytes);
        }
    }

    [Fact]
    public void No_changed_bit_goes_unnoticed()
    {
        Write(2);
        byte[] bytes = File.ReadAllBytes(Path);
        for (int i = 0; i < bytes.Length; i++)
        {
            for (int bit = 0; bit < 8; bit++)
            {
                byte[] damaged = [.. bytes];
                damaged[i] ^= (byte)(1 << bit);
                File.WriteAllBytes(Path, damaged);
                try
                {
                    // A capital hexadecimal digit states the same length; anything else must be refused.
                    using EditJournal journal = EditJournal.Open(Path);
                    AssertSame([Record(1), Record(2)], journal.Records);
                    Assert.Equal(32, damaged[i] ^ bytes[i]);
                }
                catch (EditException exception)
                {
                    Assert.Contains("is damaged", exception.Message);
                    Assert.Equal(damaged, File.ReadAllBytes(Path));
                }
            }
        }
    }

    [Fact]
    public void Reserved_but_unwritten_zeros_at_the_end_are_cut_off()
    {
        Write(2);
        byte[] bytes = File.ReadAllBytes(Path);
        byte[] third = EditJournal.Line(Record(3) with { Forgotten = new string('x', 2000) });
        int hole = 512 - (bytes.Length % 512);
        byte[][] tails = [new byte[300], [.. third[..100], .. new byte[900]], [.. new byte[hole], .. third[hole..]], [.. third[..50], .. new byte[1000], .. third[1050..]]];
        foreach (byte[] tail in tails)
        {
            File.WriteAllBytes(Path, [.. bytes, .. tail]);
            using EditJournal journal = EditJournal.Open(Path);
            Assert.Equal(2, journal.Records.Count);
            Assert.Equal(tail.Length, journal.TornBytes);
        }
    }

    [Fact]
    public void A_missing_or_repeated_record_is_an_error()
    {
        foreach (long[] order in new long[][] { [1, 3], [1, 1], [2] })
        {
            File.WriteAllBytes(Path, [.. order.SelectMany(i => EditJournal.Line(Record(i)))]);
            Assert.Contains("its number is", Assert.Throws<EditException>(() => EditJournal.Open(Path)).Message);
        }

        File.WriteAllBytes(Path, []);
        using EditJournal journal = EditJournal.Open(Path);
        Assert.Throws<ArgumentException>(() => journal.Append(Record(2)));
    }

    [Fact]
    public void A_second_writer_is_refused()
    {
        using EditJournal journal = EditJournal.Open(Path);

        Assert.Contains("another process or session", Assert.Throws<EditException>(() => EditJournal.Open(Path)).Message);
    }

    [Fact]
    public void After_a_failed_write_nothing_more_is_taken_and_the_file_is_as_before()
    {
        Write(1);
        byte[] before = File.ReadAllBytes(Path);
        using (EditJournal journal = EditJournal.Open(Path, step =>
        {
            if (step == "record written")
            {
                throw new IOException("disk full");
            }
        }))
        {
            Assert.Contains("disk full", Assert.Throws<EditException>(() => journal.Append(Record(2))).Message);
            Assert.Throws<EditException>(() => journal.Append(Record(2)));
            Assert.Single(journal.Records);
        }

        Assert.Equal(before, File.ReadAllBytes(Path));
    }

    private static void AssertSame(IReadOnlyList<JournalRecord> expected, IReadOnlyList<JournalRecord> found)
    {
        Assert.Equal(expected.Count, found.Count);
        foreach ((JournalRecord e, JournalRecord f) in expected.Zip(found))
        {
            Assert.Equal(e.Edits, f.Edits);
            Assert.Equal(e with { Edits = [] }, f with { Edits = [] });
        }
    }

    private void Write(int count)
    {
        using EditJournal journal = EditJournal.Open(Path);
        for (int i = 1; i <= count; i++)
        {
            journal.Append(Record(i));
        }
    }
}
