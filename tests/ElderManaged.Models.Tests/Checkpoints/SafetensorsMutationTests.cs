using ElderManaged.Models.Checkpoints;
using ElderManaged.Testing;

namespace ElderManaged.Models.Tests.Checkpoints;

/// <summary>Random damage to a valid file: it opens and reads, or it throws <see cref="CheckpointException"/>; nothing else.</summary>
public class SafetensorsMutationTests
{
    private const int Cases = 500;

    [Fact]
    public void DamagedFilesOpenOrFailCleanly()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("x.safetensors");
        using var stream = new MemoryStream();
        new SafetensorsWriter()
            .Add("a", [2, 3], new float[6])
            .Add("b.weight", [4], new float[4], StoredType.F16)
            .AddInt64("ids", [2], new long[2])
            .AddMetadata("format", "pt")
            .Write(stream);
        byte[] valid = stream.ToArray();

        var random = new Random(12345);
        int opened = 0, refused = 0;
        for (int i = 0; i < Cases; i++)
        {
            byte[] damaged = Damage(valid, random);
            File.WriteAllBytes(path, damaged);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using SafetensorsFile file = SafetensorsFile.Open(path);
                foreach (TensorEntry entry in file.Entries.Values)
                {
                    file.ReadBytes(entry.Name, new byte[entry.ByteCount]);
                }

                opened++;
            }
            catch (CheckpointException exception)
            {
                Assert.Contains(path, exception.Message, StringComparison.Ordinal);
                refused++;
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }

        // Both outcomes must occur, else the damage is too strong or too weak to test anything.
        Assert.True(opened > 20 && refused > 200, $"{opened} opened, {refused} refused");
    }

    private static byte[] Damage(byte[] valid, Random random)
    {
        byte[] bytes = [.. valid];
        switch (random.Next(4))
        {
            case 0: // one flipped bit anywhere
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                break;
            case 1: // cut short
                Array.Resize(ref bytes, random.Next(bytes.Length));
                break;
            case 2: // several random bytes
                for (int n = random.Next(1, 6); n > 0; n--)
                {
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                }

                break;
            default: // a digit or sign of the header replaced by another: stays JSON, lies about sizes
                int[] digits = [.. Enumerable.Range(8, bytes.Length - 8).Where(i => char.IsAsciiDigit((char)bytes[i]))];
                bytes[digits[random.Next(digits.Length)]] = (byte)"0123456789-."[random.Next(12)];
                break;
        }

        return bytes;
    }
}
