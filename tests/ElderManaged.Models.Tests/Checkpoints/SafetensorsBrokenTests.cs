using System.Buffers.Binary;
using System.Text;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Checkpoints;

/// <summary>Every broken rule of the format gives one clear error, and none a large allocation.</summary>
public class SafetensorsBrokenTests
{
    private const string A = """{"dtype":"F32","shape":[2],"data_offsets":[0,8]}""";

    [Theory]
    [InlineData("""[1]""", 0, "does not start with '{'")]
    [InlineData("""{"a":""", 0, "not valid JSON")]
    [InlineData("""{"a":1} x""", 0, "not described by an object")]
    [InlineData("""{} x""", 0, "not valid JSON")]
    [InlineData("""{"a":{"x":[[[[[[[[[[1]]]]]]]]]]}}""", 0, "not valid JSON")]
    [InlineData("""{"a":A,"a":A}""", 8, "tensor 'a' occurs twice")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "'a' has dtype twice")]
    [InlineData("""{"a":{"shape":[2],"data_offsets":[0,8]}}""", 8, "'a' has no dtype")]
    [InlineData("""{"a":{"dtype":"F32","data_offsets":[0,8]}}""", 8, "'a' has no shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", 8, "'a' has no data_offsets")]
    [InlineData("""{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}""", 8, "'a' has the unknown dtype 'F31'")]
    [InlineData("""{"a":{"dtype":"11","shape":[2],"data_offsets":[0,8]}}""", 8, "unknown dtype '11'")]
    [InlineData("""{"a":{"dtype":7,"shape":[2],"data_offsets":[0,8]}}""", 8, "dtype that is not a text")]
    [InlineData("""{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}""", 8, "shape that is not a list")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "not a whole number")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", 8, "not a whole number")]
    [InlineData("""{"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}""", 8, "not a whole number")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]}}""", 8, "not a whole number")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}""", 8, "more bytes than 2^63")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,8]}}""", 8, "more bytes than 2^63")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}""", 0, "more bytes than 2^63")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}""", 4, "more than 16 entries")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "'a' of shape [3] in F32 needs 12 bytes, but its data_offsets hold 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "the second not below the first")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8]}}""", 8, "two numbers are needed")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}""", 8, "more than 2 entries")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2305843009213693951],"data_offsets":[0,9223372036854775804]}}""", 8, "the file has only 8 bytes of data")]
    [InlineData("""{"a":{"dtype":"U8","shape":[2],"data_offsets":[9223372036854775805,9223372036854775807]}}""", 8, "the file has only 8 bytes of data")]
    [InlineData("""{"a":A}""", 7, "'a' ends at byte 8 of the data, but the file has only 7")]
    [InlineData("""{"a":A}""", 9, "has 1 bytes after its last tensor")]
    [InlineData("""{"a":A,"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "'b' overlaps the tensor 'a'")]
    [InlineData("""{"a":A,"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}""", 16, "'b' leaves 4 unused bytes")]
    [InlineData("""{"__metadata__":[],"a":A}""", 8, "'__metadata__' that is not an object")]
    [InlineData("""{"__metadata__":{"x":1},"a":A}""", 8, "value for 'x' is not a text")]
    [InlineData("""{"__metadata__":{"x":"1","x":"2"},"a":A}""", 8, "'x' twice in '__metadata__'")]
    [InlineData("""{"__metadata__":{},"__metadata__":{},"a":A}""", 8, "'__metadata__' twice")]
    [InlineData("""{"\ud800":A}""", 8, "not valid Unicode")]
    public void BrokenHeadersHaveOneClearError(string header, int dataBytes, string expected)
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("broken.safetensors");
        File.WriteAllBytes(path, FileBytes(Encoding.UTF8.GetBytes(header.Replace("A", A, StringComparison.Ordinal)), dataBytes));
        string message = Failure(path);
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.EndsWith(".", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void AFileShorterThanItsLengthField(int length)
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("short.safetensors");
        File.WriteAllBytes(path, new byte[length]);
        Assert.Contains($"has only {length} bytes", Failure(path), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1UL << 63)]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 40)]
    [InlineData(3UL)]
    public void AHeaderLengthBeyondTheFileIsNotAllocated(ulong length)
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("huge.safetensors");
        byte[] bytes = new byte[10];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        File.WriteAllBytes(path, bytes);

        long before = GC.GetAllocatedBytesForCurrentThread();
        string message = Failure(path);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        Assert.Contains($"claims a header of {length} bytes", message, StringComparison.Ordinal);
    }

    [Fact]
    public void AHeaderOverTheLimitIsRefusedBeforeReadingIt()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("long.safetensors");
        using (FileStream stream = File.Create(path))
        {
            byte[] length = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, SafetensorsHeader.MaxHeaderBytes + 1);
            stream.Write(length);
            stream.SetLength(SafetensorsHeader.MaxHeaderBytes + 100); // sparse: takes no disk space
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("are refused", Failure(path), StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void InvalidUtf8IsNamed()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("bytes.safetensors");
        File.WriteAllBytes(path, FileBytes([(byte)'{', (byte)'"', 0xFF, (byte)'"', (byte)'}'], 0));
        Assert.Contains("not valid UTF-8", Failure(path), StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingFileOrAFolderIsNamed()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("absent.safetensors", Failure(folder.File("absent.safetensors")), StringComparison.Ordinal);
        Assert.Contains(folder.Path, Failure(folder.Path), StringComparison.Ordinal);
    }

    [Fact]
    public void AFileShortenedWhileOpenIsAnErrorAndNotACrash()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("x.safetensors");
        new SafetensorsWriter().Add("a", [1000], new float[1000]).Save(path);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        byte[] whole = File.ReadAllBytes(path);
        using (var other = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            other.SetLength(whole.Length - 10);
        }

        Assert.Contains("10 bytes too early", Assert.Throws<CheckpointException>(() => file.ReadFloat32("a", new float[1000])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ControlCharactersInNamesDoNotReachTheMessage()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("x.safetensors");
        File.WriteAllBytes(path, FileBytes(Encoding.UTF8.GetBytes("""{"\u001b[31m":1}"""), 0));
        Assert.DoesNotContain('\u001b', Failure(path));
    }

    private static byte[] FileBytes(byte[] header, int dataBytes)
    {
        byte[] bytes = new byte[8 + header.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
        header.CopyTo(bytes, 8);
        return bytes;
    }

    private static string Failure(string path) => Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path).Dispose()).Message;
}
