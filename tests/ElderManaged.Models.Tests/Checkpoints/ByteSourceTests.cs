using ElderManaged.Models.Checkpoints;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Checkpoints;

public sealed class ByteSourceTests
{
    // Past the cache and through it, the same bytes; where the system has no way past it, both go through it.
    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData((5 << 20) + 1234)]
    public void A_large_file_is_read_as_it_is(int length)
    {
        using TemporaryFolder folder = new();
        string path = Path.Combine(folder.Path, "large.bin");
        byte[] bytes = new byte[length];
        new Random(3).NextBytes(bytes);
        File.WriteAllBytes(path, bytes);
        using ByteSource source = ByteSource.OpenFile(path, large: 0);
        Assert.Equal(length, source.Length);
        Random random = new(5);
        for (int i = 0; i < 40; i++)
        {
            int offset = i == 0 ? 0 : random.Next(length), count = i == 0 ? length : random.Next(length - offset + 1);
            byte[] read = new byte[count];
            source.Read(read, offset);
            Assert.Equal(bytes[offset..(offset + count)], read);
        }
    }

    [Fact]
    public void Threads_read_a_large_file_side_by_side()
    {
        using TemporaryFolder folder = new();
        string path = Path.Combine(folder.Path, "large.bin");
        byte[] bytes = new byte[3_000_001];
        new Random(7).NextBytes(bytes);
        File.WriteAllBytes(path, bytes);
        using ByteSource source = ByteSource.OpenFile(path, large: 0);
        Parallel.For(0, 64, i =>
        {
            byte[] read = new byte[70_000];
            int offset = i * 45_000;
            source.Read(read, offset);
            Assert.Equal(bytes[offset..(offset + read.Length)], read);
        });
    }

    [Fact]
    public void A_file_that_became_shorter_is_an_error()
    {
        using TemporaryFolder folder = new();
        string path = Path.Combine(folder.Path, "large.bin");
        File.WriteAllBytes(path, new byte[200_000]);
        using ByteSource source = ByteSource.OpenFile(path, large: 0);
        using (FileStream shorter = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            shorter.SetLength(100_000);
        }

        CheckpointException error = Assert.Throws<CheckpointException>(() => source.Read(new byte[150_000], 10_000));
        Assert.Contains("ends at byte 100000, 60000 bytes too early", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_large_files_are_read_past_the_cache()
    {
        using TemporaryFolder folder = new();
        string path = Path.Combine(folder.Path, "small.bin");
        File.WriteAllBytes(path, new byte[100_000]);
        using ByteSource source = ByteSource.OpenFile(path);
        Assert.False(source.Waits);
    }
}
