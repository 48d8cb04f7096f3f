using System.Buffers.Binary;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Testing;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Models.Tests.Checkpoints;

public class SafetensorsRoundTripTests
{
    [Theory]
    [InlineData(StoredType.F32)]
    [InlineData(StoredType.F16)]
    [InlineData(StoredType.BF16)]
    public void FloatsComeBack(StoredType type)
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("x.safetensors");
        Prop.ForAll<float[], string>((raw, text) =>
        {
            // Half precision ends at 65504: larger values are another test.
            float[] values = [.. raw.Select(x => float.IsFinite(x) && MathF.Abs(x) > 60000 ? x % 60000 : x)];
            string name = "t." + new string([.. (text ?? "").Where(c => !char.IsSurrogate(c))]);
            new SafetensorsWriter().Add(name, [values.Length], values, type).AddMetadata("made by", text is null ? "" : name).Save(path);

            using SafetensorsFile file = SafetensorsFile.Open(path);
            float[] read = new float[values.Length];
            file.ReadFloat32(name, read);
            Assert.Equal([values.Length], file.Entries[name].Shape);
            Assert.Equal(type, file.Entries[name].StoredType);
            for (int i = 0; i < values.Length; i++)
            {
                float expected = type switch
                {
                    StoredType.F16 => (float)(Half)values[i],
                    StoredType.BF16 => NearestBFloat16(values[i]),
                    _ => values[i],
                };
                Assert.Equal(expected, read[i]);
            }
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void IntegersScalarsAndEmptyTensorsComeBack()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("x.safetensors");
        new SafetensorsWriter()
            .AddInt64("z", [2, 2], new long[] { long.MinValue, -1, 0, long.MaxValue })
            .Add("half", [3], new float[] { 1, 2, 3 }, StoredType.F16)
            .Add("empty", [0, 5], Array.Empty<float>())
            .Add("scalar", [], new float[] { 42 })
            .Save(path);

        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal(["empty", "half", "scalar", "z"], file.Entries.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(2, file.Entries["z"].FileOffset % 8); // integers need not start at a multiple of 8
        long[] integers = new long[4];
        file.ReadInt64("z", integers);
        Assert.Equal([long.MinValue, -1, 0, long.MaxValue], integers);
        float[] scalar = new float[1];
        file.ReadFloat32("scalar", scalar);
        Assert.Equal(42, scalar[0]);
        file.ReadFloat32("empty", []);
        byte[] bytes = new byte[6];
        file.ReadBytes("half", bytes);
        Assert.Equal((Half)2, BitConverter.ToHalf(bytes, 2));
    }

    [Fact]
    public void LargeTensorsArePieced()
    {
        // Longer than the writer's and the reader's pieces, and not a multiple of them.
        using var folder = new TemporaryFolder();
        string path = folder.File("x.safetensors");
        const int count = 100_003;
        long calls = 0;
        new SafetensorsWriter()
            .Add("a", [count], (start, destination) =>
            {
                calls++;
                for (int i = 0; i < destination.Length; i++)
                {
                    destination[i] = (start + i) % 251;
                }
            }, StoredType.BF16)
            .Save(path);
        Assert.InRange(calls, 2, count);

        using SafetensorsFile file = SafetensorsFile.Open(path);
        float[] read = new float[count];
        file.ReadFloat32("a", read);
        for (int i = 0; i < count; i++)
        {
            Assert.Equal(i % 251, read[i]);
        }
    }

    [Fact]
    public void TheSameTensorsGiveTheSameBytesInAnyOrderAndTheHeaderIsAligned()
    {
        using var first = new MemoryStream();
        using var second = new MemoryStream();
        float[] a = [1], b = [2, 3];
        new SafetensorsWriter().Add("a", [1], a).Add("b", [2], b).AddMetadata("x", "1").AddMetadata("y", "2").Write(first);
        new SafetensorsWriter().AddMetadata("y", "2").AddMetadata("x", "1").Add("b", [2], b).Add("a", [1], a).Write(second);
        Assert.Equal(first.ToArray(), second.ToArray());
        long headerLength = BinaryPrimitives.ReadInt64LittleEndian(first.ToArray());
        Assert.Equal(0, headerLength % 8);
        Assert.Equal(8 + headerLength + 12, first.Length);
    }

    [Theory]
    [InlineData(1.00390625f, 1f)] // half way between 1 and 1 + 2^-7: to the even 1
    [InlineData(1.01171875f, 1.015625f)] // half way between 1 + 2^-7 and 1 + 2^-6: to the even upper
    [InlineData(-1.0039063692092896f, -1.0078125f)] // one unit above half way: away
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    [InlineData(-0f, -0f)]
    public void BFloat16RoundsToNearestEven(float value, float expected)
    {
        ushort[] bits = new ushort[1];
        float[] back = new float[1];
        FloatConversion.ToBFloat16([value], bits);
        FloatConversion.FromBFloat16(bits, back);
        Assert.Equal(expected, back[0]);
        Assert.Equal(float.IsNegative(expected), float.IsNegative(back[0]));
    }

    [Fact]
    public void ASignallingNaNStaysNaN()
    {
        // Its only mantissa bit is in the half that bfloat16 cuts off; rounding up 0x7FFFFFFF would give -0.
        ushort[] bits = new ushort[2];
        FloatConversion.ToBFloat16([BitConverter.UInt32BitsToSingle(0x7F80_0001), BitConverter.UInt32BitsToSingle(0x7FFF_FFFF)], bits);
        Assert.All(bits, b => Assert.True(float.IsNaN(BitConverter.UInt32BitsToSingle((uint)b << 16))));
    }

    [Theory]
    [InlineData(StoredType.F16, 65520f)]
    [InlineData(StoredType.BF16, float.MaxValue)]
    public void AFiniteValueIsNotTurnedIntoInfinity(StoredType type, float value)
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("x.safetensors");
        SafetensorsWriter writer = new SafetensorsWriter().Add("w", [2], new float[] { 0, value }, type);
        string message = Assert.Throws<CheckpointException>(() => writer.Save(path)).Message;
        Assert.Contains("'w': element 1", message, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void WrongUseIsRefused()
    {
        var writer = new SafetensorsWriter().Add("a", [1], new float[1]);
        Assert.Throws<ArgumentException>(() => writer.Add("a", [1], new float[1]));
        Assert.Throws<ArgumentException>(() => writer.Add("b", [2], new float[1]));
        Assert.Throws<ArgumentException>(() => writer.Add("b", [-1], new float[1]));
        Assert.Throws<ArgumentException>(() => writer.Add("b", [1L << 40, 1L << 40], new float[1]));
        Assert.Throws<ArgumentException>(() => writer.Add("b", [1L << 62], (_, _) => { }));
        Assert.Throws<ArgumentException>(() => writer.Add("b", [1], new float[1], StoredType.I64));
        Assert.Throws<ArgumentException>(() => writer.Add("__metadata__", [1], new float[1]));
    }

    [Fact]
    public void ReadingNamesWhatIsWrong()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("x.safetensors");
        new SafetensorsWriter().Add("h.0.weight", [2, 3], new float[6]).AddInt64("ids", [1], new long[1]).Save(path);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Contains("no tensor 'h.1.weight'; the nearest names are 'h.0.weight'", Message(() => file.ReadFloat32("h.1.weight", new float[6])), StringComparison.Ordinal);
        Assert.Contains("[2, 3] has 6 elements, the destination 5", Message(() => file.ReadFloat32("h.0.weight", new float[5])), StringComparison.Ordinal);
        Assert.Contains("'ids' is stored as I64", Message(() => file.ReadFloat32("ids", new float[1])), StringComparison.Ordinal);
        Assert.Contains("'h.0.weight' is stored as F32", Message(() => file.ReadInt64("h.0.weight", new long[6])), StringComparison.Ordinal);
        Assert.Contains(path, Message(() => file.ReadBytes("ids", new byte[7])), StringComparison.Ordinal);
    }

    [SharedFact("goldens")]
    public void GoldenFilesOpenAndEveryTensorReads()
    {
        string[] paths = Directory.GetFiles(SharedData.PathOf("goldens"), "*.safetensors", SearchOption.AllDirectories);
        Assert.NotEmpty(paths);
        foreach (string path in paths)
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            Assert.NotEmpty(file.Entries);
            foreach (TensorEntry entry in file.Entries.Values)
            {
                if (entry.StoredType == StoredType.I64)
                {
                    long[] values = new long[entry.ElementCount];
                    file.ReadInt64(entry.Name, values);

                    // Ids, flags, positions and the label -100: anything else was read at a wrong place.
                    Assert.All(values, value => Assert.InRange(value, -100, 1 << 20));
                }
                else
                {
                    float[] values = new float[entry.ElementCount];
                    file.ReadFloat32(entry.Name, values);
                    Assert.All(values, value => Assert.True(float.IsFinite(value)));
                }
            }
        }
    }

    private static string Message(Action action) => Assert.Throws<CheckpointException>(action).Message;

    /// <summary>The definition instead of the bit trick: of the two neighbours the nearer one, and the even one on a tie.</summary>
    private static float NearestBFloat16(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        if (!float.IsFinite(x) || (bits & 0xFFFF) == 0)
        {
            return x;
        }

        float low = BitConverter.UInt32BitsToSingle(bits & 0xFFFF_0000);
        float high = BitConverter.UInt32BitsToSingle((bits & 0xFFFF_0000) + 0x1_0000);
        double down = Math.Abs((double)x - low), up = Math.Abs((double)high - x);
        return down < up || (down == up && ((bits >> 16) & 1) == 0) ? low : high;
    }
}
