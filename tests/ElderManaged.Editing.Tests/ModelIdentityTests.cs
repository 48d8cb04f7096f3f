using System.Security.Cryptography;
using System.Text;
using ElderManaged.Testing;

namespace ElderManaged.Editing.Tests;

public sealed class ModelIdentityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Model => Path.Combine(_folder.Path, "model");

    private string Memory => Path.Combine(_folder.Path, "memory");

    public ModelIdentityTests()
    {
        Directory.CreateDirectory(Model);
        byte[] weights = new byte[3_000_000];
        new Random(1).NextBytes(weights);
        Write("model.safetensors", weights);
        Write("config.json", "{}"u8.ToArray());
        Write("notes.txt", "not part of it"u8.ToArray());
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Is_the_digest_of_names_and_digests()
    {
        using IncrementalHash expected = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string name in new[] { "config.json", "model.safetensors" })
        {
            expected.AppendData(Encoding.UTF8.GetBytes(name + "\n"));
            expected.AppendData(SHA256.HashData(File.ReadAllBytes(Path.Combine(Model, name))));
        }

        Assert.Equal(Convert.ToHexStringLower(expected.GetHashAndReset()), Identity(memory: null, out _));
    }

    [Fact]
    public void What_was_read_once_is_not_read_again()
    {
        string first = Identity(Memory, out int reports);
        Assert.True(reports > 2, $"{reports} reports");
        Assert.Single(Directory.GetFiles(Memory)); // config.json is small
        Assert.Equal(first, Identity(Memory, out reports));
        Assert.Equal(1, reports); // config.json
    }

    [Theory]
    [InlineData(3_000_000)]
    [InlineData(3_000_001)]
    public void A_file_that_changed_is_read_again(int length)
    {
        string first = Identity(Memory, out _);
        byte[] other = new byte[length];
        Write("model.safetensors", other, age: TimeSpan.FromMinutes(1));
        string second = Identity(Memory, out _);
        Assert.NotEqual(first, second);
        Assert.Equal(Identity(memory: null, out _), second);
    }

    [Fact]
    public void A_file_that_has_just_been_written_is_not_remembered()
    {
        Write("model.safetensors", new byte[3_000_000], age: TimeSpan.Zero);
        Identity(Memory, out _);
        Assert.False(Directory.Exists(Memory));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{\"Path\":null,\"Sha256\":\"zz\"}")]
    public void A_damaged_note_is_as_good_as_none(string text)
    {
        string first = Identity(Memory, out _);
        string note = Assert.Single(Directory.GetFiles(Memory));
        File.WriteAllText(note, text);
        Assert.Equal(first, Identity(Memory, out _));
        Assert.Equal(first, Identity(Memory, out int reports));
        Assert.Equal(1, reports);
    }

    [Fact]
    public void Stops_when_asked()
    {
        using CancellationTokenSource stop = new();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => ModelIdentity.Of(Model, memory: null, progress: null, stop.Token));
    }

    private string Identity(string? memory, out int reports)
    {
        Counter counter = new();
        string identity = ModelIdentity.Of(Model, memory, counter, CancellationToken.None, large: 1_000_000);
        reports = counter.Count;
        return identity;
    }

    private void Write(string name, byte[] content, TimeSpan? age = null)
    {
        string path = Path.Combine(Model, name);
        File.WriteAllBytes(path, content);
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow - (age ?? TimeSpan.FromHours(1)));
    }

    private sealed class Counter : IProgress<double>
    {
        public int Count { get; private set; }

        public void Report(double value)
        {
            Assert.InRange(value, 0, 1);
            Count++;
        }
    }
}
