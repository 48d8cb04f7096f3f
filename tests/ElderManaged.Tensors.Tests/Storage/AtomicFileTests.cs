using ElderManaged.Tensors.Storage;
using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests.Storage;

public class AtomicFileTests
{
    [Fact]
    public void WritesAndReplaces()
    {
        using var folder = new TemporaryFolder();
        string path = folder.WriteText("a.bin", "a much longer old content");
        AtomicFile.Write(path, stream => stream.Write([1, 2, 3]));
        Assert.Equal([1, 2, 3], File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void AFailureInTheMiddleLeavesTheOldFileAndNoLitter()
    {
        using var folder = new TemporaryFolder();
        string path = folder.WriteText("a.bin", "old");
        var exception = Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[100_000]);
            throw new InvalidOperationException("power cut");
        }));
        Assert.Equal("power cut", exception.Message);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void AFailureWithoutAnOldFileLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(folder.File("new.bin"), _ => throw new InvalidOperationException()));
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void TheFinalNameDoesNotExistWhileWriting()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("new.bin");
        AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[100_000]);
            stream.Flush();
            Assert.False(File.Exists(path));
        });
        Assert.Equal(100_000, new FileInfo(path).Length);
    }
}
