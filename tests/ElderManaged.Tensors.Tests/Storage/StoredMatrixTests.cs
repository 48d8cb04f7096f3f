using System.Buffers.Binary;
using System.Globalization;
using ElderManaged.Tensors.Tests.Ops.MatMul;
using ElderManaged.Testing;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Tensors.Tests.Storage;

/// <summary>Frozen weights in stored formats: the numbers they mean, and products with the bits of those numbers in float32.</summary>
[Collection(CpuThreadsCollection.Name)]
public sealed class StoredMatrixTests
{
    public static TheoryData<StoredNumbers, SimdLevel> Cases
    {
        get
        {
            TheoryData<StoredNumbers, SimdLevel> cases = [];
            foreach (StoredNumbers numbers in Enum.GetValues<StoredNumbers>())
            {
                foreach (SimdLevel level in Enum.GetValues<SimdLevel>().Where(level => level <= Simd.Best))
                {
                    cases.Add(numbers, level);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Both_products_have_the_bits_of_the_dequantized_matrix(StoredNumbers numbers, SimdLevel level)
    {
        using Simd.ForcedLevel forced = Simd.Force(level);
        int block = numbers.BlockLength();
        foreach ((int outputs, int blocks) in new[] { (1, 1), (3, 2), (33, 3), (64, 1), (70, 14), (290, 14), (130, block == 1 ? 403 : 3), (301, 2), (300, block == 1 ? 6 : 1), (507, block == 1 ? 46 : 3) })
        {
            int inputs = blocks * block;
            byte[] stored = Stored(numbers, outputs * inputs, 1);
            float[] w = new float[outputs * inputs];
            StoredBlocks.Dequantize(numbers, stored, w);
            FrozenMatrix frozen = FrozenMatrix.FromStored(numbers, stored, outputs, inputs);
            FrozenMatrix dense = FrozenMatrix.FromDense(w, outputs, inputs);
            Assert.Equal(numbers, frozen.Numbers);
            foreach (int rows in new[] { 1, 2, 3, 4, 5, 8, 9, 31, 45 })
            {
                foreach (bool accumulate in new[] { false, true })
                {
                    float[] x = GemmCase.Numbers(rows * inputs, 2);
                    float[] bias = accumulate ? GemmCase.Numbers(outputs, 4) : [];
                    float[] expected = GemmCase.Numbers(rows * outputs, 6);
                    float[] actual = GemmCase.Numbers(rows * outputs, 7);
                    dense.Multiply(x, rows, expected, bias);
                    frozen.Multiply(x, rows, actual, bias);
                    Assert.Equal(expected, actual);

                    float[] dy = GemmCase.Numbers(rows * outputs, 3);
                    expected = GemmCase.Numbers(rows * inputs, 5);
                    actual = (float[])expected.Clone();
                    dense.MultiplyTransposed(dy, rows, expected, accumulate);
                    frozen.MultiplyTransposed(dy, rows, actual, accumulate);
                    Assert.Equal(expected, actual);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Products_agree_with_plain_double_precision(StoredNumbers numbers, SimdLevel level)
    {
        int block = numbers.BlockLength();
        Gen<(int Outputs, int Inputs, int Rows, int Seed)> shapes =
            from outputs in Gen.Choose(1, 140)
            from inputs in Gen.Choose(1, Math.Max(2, 600 / block))
            from rows in Gen.Choose(1, 20)
            from seed in Gen.Choose(1, 1 << 20)
            select (outputs, inputs * block, rows, seed);
        Prop.ForAll(shapes.ToArbitrary(), shape =>
        {
            using Simd.ForcedLevel forced = Simd.Force(level);
            (int outputs, int inputs, int rows, int seed) = shape;
            byte[] stored = Stored(numbers, outputs * inputs, seed);
            float[] w = new float[outputs * inputs];
            StoredBlocks.Dequantize(numbers, stored, w);
            float[] x = GemmCase.Numbers(rows * inputs, seed + 1);
            float[] y = new float[rows * outputs];
            FrozenMatrix frozen = FrozenMatrix.FromStored(numbers, stored, outputs, inputs);
            frozen.Multiply(x, rows, y);
            float[] dx = new float[rows * inputs];
            frozen.MultiplyTransposed(y, rows, dx);
            return Near(x, w, y, rows, outputs, inputs, transposed: false) && Near(y, w, dx, rows, inputs, outputs, transposed: true);
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData(StoredNumbers.Float16)]
    [InlineData(StoredNumbers.Q8_0)]
    [InlineData(StoredNumbers.Q4_1)]
    public void Rows_and_threads_do_not_show_in_the_bits(StoredNumbers numbers)
    {
        const int outputs = 700;
        const int inputs = 512;
        const int rows = 70;
        FrozenMatrix frozen = FrozenMatrix.FromStored(numbers, Stored(numbers, outputs * inputs, 1), outputs, inputs);
        float[] x = GemmCase.Numbers(rows * inputs, 2);
        int before = CpuThreads.Count;
        try
        {
            CpuThreads.Count = 1;
            float[] y = new float[rows * outputs];
            float[] dx = new float[rows * inputs];
            float[] dxOfFew = new float[rows * inputs];
            frozen.Multiply(x, rows, y);
            frozen.MultiplyTransposed(y, rows, dx);
            for (int row = 0; row < rows; row++)
            {
                frozen.MultiplyTransposed(y.AsSpan(row * outputs, outputs), 1, dxOfFew.AsSpan(row * inputs, inputs));
            }

            foreach (int threads in new[] { 2, 3 })
            {
                CpuThreads.Count = threads;
                foreach (int count in new[] { 1, 2, 3, 4, 7, 9, 33, rows })
                {
                    int first = (rows - count) / 2;
                    float[] some = new float[count * outputs];
                    frozen.Multiply(x.AsSpan(first * inputs, count * inputs), count, some);
                    Assert.Equal(y.AsSpan(first * outputs, count * outputs).ToArray(), some);

                    float[] back = new float[count * inputs];
                    frozen.MultiplyTransposed(some, count, back);
                    Assert.Equal((count <= WideSums.MaxRows ? dxOfFew : dx).AsSpan(first * inputs, count * inputs).ToArray(), back);
                }
            }
        }
        finally
        {
            CpuThreads.Count = before;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Gives_back_the_numbers_that_were_stored_in_any_pieces(StoredNumbers numbers, SimdLevel level)
    {
        using Simd.ForcedLevel forced = Simd.Force(level);
        const int outputs = 83;
        int inputs = numbers.BlockLength() == 1 ? 45 : 2 * numbers.BlockLength();
        byte[] stored = Stored(numbers, outputs * inputs, 7);
        float[] w = new float[outputs * inputs];
        StoredBlocks.Dequantize(numbers, stored, w);

        FrozenMatrixBuilder builder = new(numbers, outputs, inputs);
        for (int done = 0, piece = 1; builder.RowsLeft > 0; piece += 3)
        {
            int bytes = (int)builder.RowBytes * Math.Min(piece, builder.RowsLeft);
            builder.AddRows(stored.AsSpan(done, bytes));
            done += bytes;
        }

        FrozenMatrix frozen = builder.Build();
        float[] back = new float[w.Length];
        frozen.CopyTo(back);
        Assert.Equal(w, back);
        float[] row = new float[inputs];
        frozen.CopyRow(outputs - 2, row);
        Assert.Equal(w.AsSpan((outputs - 2) * inputs, inputs).ToArray(), row);
    }

    [Theory]
    [InlineData(StoredNumbers.Float32, false, 900, 1000, false)]
    [InlineData(StoredNumbers.Float32, false, 900, 1000, true)]
    [InlineData(StoredNumbers.Float16, false, 1000, 1002, false)]
    [InlineData(StoredNumbers.Float16, false, 2000, 1002, true)]
    [InlineData(StoredNumbers.Float16, true, 1000, 1001, false)]
    [InlineData(StoredNumbers.Float16, true, 1000, 3001, true)]
    [InlineData(StoredNumbers.BFloat16, true, 1088, 998, false)]
    [InlineData(StoredNumbers.Q4_1, false, 1000, 2048, false)]
    [InlineData(StoredNumbers.Q4_1, false, 3000, 2048, true)]
    public void Threads_that_read_for_themselves_pack_what_one_packs(StoredNumbers numbers, bool transposed, int outputs, int inputs, bool waits)
    {
        byte[] stored = Stored(numbers, outputs * inputs, 11);
        float[] expected = new float[outputs * inputs], actual = new float[expected.Length];
        FrozenMatrix.FromStored(numbers, stored, outputs, inputs, transposed).CopyTo(expected);
        int before = CpuThreads.Count;
        try
        {
            foreach (int threads in new[] { 1, 2, 3 })
            {
                CpuThreads.Count = threads;
                FrozenMatrixBuilder builder = new(numbers, outputs, inputs, transposed);
                int alone = 3; // some rows before, so that pieces begin anywhere
                builder.AddRows(stored.AsSpan(0, (int)(alone * builder.RowBytes)));
                builder.ReadRows((first, rows) => stored.AsSpan((int)(first * builder.RowBytes), rows.Length).CopyTo(rows), waits);
                builder.Build().CopyTo(actual);
                Assert.Equal(expected, actual);
            }
        }
        finally
        {
            CpuThreads.Count = before;
        }
    }

    [Theory]
    [InlineData(StoredNumbers.Float32)]
    [InlineData(StoredNumbers.Float16)]
    [InlineData(StoredNumbers.BFloat16)]
    public void Takes_the_transposed_layout(StoredNumbers numbers)
    {
        foreach ((int outputs, int inputs) in new[] { (1, 1), (70, 33), (64, 2), (128, 31), (129, 96) })
        {
            byte[] stored = Stored(numbers, outputs * inputs, 3);
            int size = numbers.BlockBytes();
            byte[] turned = new byte[stored.Length];
            for (int o = 0; o < outputs; o++)
            {
                for (int p = 0; p < inputs; p++)
                {
                    stored.AsSpan(((o * inputs) + p) * size, size).CopyTo(turned.AsSpan(((p * outputs) + o) * size));
                }
            }

            float[] expected = new float[outputs * inputs];
            float[] actual = new float[outputs * inputs];
            StoredBlocks.Dequantize(numbers, stored, expected);
            FrozenMatrix.FromStored(numbers, turned, outputs, inputs, transposed: true).CopyTo(actual);
            Assert.Equal(expected, actual);

            FrozenMatrixBuilder builder = new(numbers, outputs, inputs, transposed: true);
            builder.ReadRows((first, rows) => turned.AsSpan(first * outputs * size, rows.Length).CopyTo(rows));
            builder.Build().CopyTo(actual);
            Assert.Equal(expected, actual);
        }
    }

    [Fact]
    public void Every_finite_float16_and_bfloat16_passes_the_kernels_exactly()
    {
        foreach (StoredNumbers numbers in new[] { StoredNumbers.Float16, StoredNumbers.BFloat16 })
        {
            foreach (SimdLevel level in Enum.GetValues<SimdLevel>().Where(level => level <= Simd.Best))
            {
                using Simd.ForcedLevel forced = Simd.Force(level);
                ushort[] all = [.. Enumerable.Range(0, 1 << 16).Select(i => (ushort)i)];
                ushort[] finite = [.. all.Where(h => numbers == StoredNumbers.Float16 ? Half.IsFinite(BitConverter.UInt16BitsToHalf(h)) : (h & 0x7F80) != 0x7F80)];

                // One input besides a zero weight: y is the weight itself.
                byte[] stored = new byte[finite.Length * 4];
                for (int i = 0; i < finite.Length; i++)
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(stored.AsSpan((i * 4) + (i % 2 * 2)), finite[i]);
                }

                float[] w = new float[finite.Length * 2];
                StoredBlocks.Dequantize(numbers, stored, w);
                float[] y = new float[finite.Length];
                FrozenMatrix.FromStored(numbers, stored, finite.Length, 2).Multiply([1f, 1f], 1, y);
                for (int i = 0; i < y.Length; i++)
                {
                    Assert.Equal(w[(i * 2) + (i % 2)], y[i]);
                }
            }
        }
    }

    // Codes become weights by laying them into mantissas: exact for every scale, also for subnormal ones and zeros.
    [Theory]
    [InlineData(StoredNumbers.Q8_0)]
    [InlineData(StoredNumbers.Q4_0)]
    [InlineData(StoredNumbers.Q4_1)]
    public void Every_finite_scale_passes_the_kernels_exactly(StoredNumbers numbers)
    {
        Half[] scales = [.. Enumerable.Range(0, 1 << 16).Select(i => BitConverter.UInt16BitsToHalf((ushort)i)).Where(Half.IsFinite)];
        int inputs = numbers.BlockLength(), bytes = numbers.BlockBytes();
        byte[] stored = Stored(numbers, scales.Length * inputs, 13);
        Random random = new(14);
        int exact = 0;
        for (int o = 0; o < scales.Length; o++)
        {
            BinaryPrimitives.WriteHalfLittleEndian(stored.AsSpan(o * bytes), scales[o]);
            if (numbers == StoredNumbers.Q4_1)
            {
                // Mostly minima as they arise, which take the fast decoding; every tenth panel has one that does not.
                float minimum = (float)scales[o] * -(1 + (8 * random.NextSingle()));
                Half m = o % 640 == 77 ? (Half)(minimum / 1000) : (Half)Math.Clamp(minimum, -65504, 65504);
                BinaryPrimitives.WriteHalfLittleEndian(stored.AsSpan((o * bytes) + 2), m);
                exact += HighNibbleCodes.IsExact((float)scales[o], (float)m) ? 1 : 0;
            }
        }

        Assert.True(numbers != StoredNumbers.Q4_1 || (exact > 0.99 * scales.Length && exact < scales.Length));
        float[] w = new float[scales.Length * inputs];
        StoredBlocks.Dequantize(numbers, stored, w);
        FrozenMatrix frozen = FrozenMatrix.FromStored(numbers, stored, scales.Length, inputs);
        foreach (SimdLevel level in Enum.GetValues<SimdLevel>().Where(level => level <= Simd.Best))
        {
            using Simd.ForcedLevel forced = Simd.Force(level);
            foreach (int rows in new[] { 1, 4 })
            {
                // Of a row of x only one input is not zero: y is that input's weight.
                float[] y = new float[rows * scales.Length];
                for (int k = 0; k < inputs; k += rows)
                {
                    float[] x = new float[rows * inputs];
                    for (int row = 0; row < rows; row++)
                    {
                        x[(row * inputs) + k + row] = 1;
                    }

                    frozen.Multiply(x, rows, y);
                    for (int i = 0; i < y.Length; i++)
                    {
                        int row = i / scales.Length, o = i % scales.Length;
                        if (w[(o * inputs) + k + row] != y[i])
                        {
                            Assert.Fail($"{level}, scale {scales[o]}, input {k + row}: {y[i]} instead of {w[(o * inputs) + k + row]}.");
                        }
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(StoredNumbers.Float16)]
    [InlineData(StoredNumbers.BFloat16)]
    [InlineData(StoredNumbers.Q8_0)]
    [InlineData(StoredNumbers.Q4_0)]
    [InlineData(StoredNumbers.Q4_1)]
    [InlineData(StoredNumbers.Q5_1)]
    [InlineData(StoredNumbers.Q4_K)]
    [InlineData(StoredNumbers.Q6_K)]
    public void Infinity_and_NaN_pass_through(StoredNumbers numbers)
    {
        const int outputs = 100;
        int inputs = Math.Max(64, numbers.BlockLength());
        foreach (SimdLevel level in Enum.GetValues<SimdLevel>().Where(level => level <= Simd.Best))
        {
            using Simd.ForcedLevel forced = Simd.Force(level);
            foreach (ushort strange in new ushort[] { 0x7C00, 0xFC00, 0x7E00 })
            {
                byte[] stored = Stored(numbers, outputs * inputs, 9);
                ushort written = numbers == StoredNumbers.BFloat16 ? (ushort)(strange == 0x7E00 ? 0x7FC0 : strange << 0 == 0x7C00 ? 0x7F80 : 0xFF80) : strange;
                int block = numbers.BlockBytes();
                int at = (outputs / 2 * inputs / numbers.BlockLength() * block) + (numbers == StoredNumbers.Q6_K ? 208 : 0);
                BinaryPrimitives.WriteUInt16LittleEndian(stored.AsSpan(at), written);
                float[] w = new float[outputs * inputs];
                StoredBlocks.Dequantize(numbers, stored, w);
                FrozenMatrix dense = FrozenMatrix.FromDense(w, outputs, inputs);
                FrozenMatrix frozen = FrozenMatrix.FromStored(numbers, stored, outputs, inputs);
                foreach (int rows in new[] { 1, 4, 12 })
                {
                    float[] x = GemmCase.Numbers(rows * inputs, 2);
                    float[] expected = new float[rows * outputs];
                    float[] actual = new float[rows * outputs];
                    dense.Multiply(x, rows, expected);
                    frozen.Multiply(x, rows, actual);
                    Assert.Contains(expected, v => !float.IsFinite(v));
                    Assert.Equal(expected, actual);

                    float[] dy = GemmCase.Numbers(rows * outputs, 2);
                    expected = new float[rows * inputs];
                    actual = new float[rows * inputs];
                    dense.MultiplyTransposed(dy, rows, expected);
                    frozen.MultiplyTransposed(dy, rows, actual);
                    Assert.Equal(expected, actual);
                }
            }
        }
    }

    [Theory]
    [InlineData(StoredNumbers.Float16, 2.0)]
    [InlineData(StoredNumbers.BFloat16, 2.0)]
    [InlineData(StoredNumbers.Q8_0, 34.0 / 32)]
    [InlineData(StoredNumbers.Q4_0, 18.0 / 32)]
    [InlineData(StoredNumbers.Q4_1, 20.0 / 32)]
    public void Takes_no_more_memory_than_the_file_also_after_both_products(StoredNumbers numbers, double bytesPerNumber)
    {
        const int outputs = 128;
        const int inputs = 256;
        FrozenMatrix frozen = FrozenMatrix.Quantize(numbers, GemmCase.Numbers(outputs * inputs, 1), outputs, inputs);
        float[] x = new float[64 * inputs];
        float[] y = new float[64 * outputs];
        frozen.Multiply(x, 64, y);
        frozen.MultiplyTransposed(y, 64, x);
        Assert.InRange(frozen.Bytes, (long)(outputs * inputs * bytesPerNumber), (long)(outputs * inputs * bytesPerNumber) + 64);
        AllocationCheck.AllocatesNothing(() =>
        {
            frozen.Multiply(x, 64, y);
            frozen.Multiply(x, 1, y);
            frozen.MultiplyTransposed(y, 64, x);
        });
    }

    [Fact]
    public void Bad_sizes_are_named()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => new FrozenMatrixBuilder(StoredNumbers.Q4_1, 3, 40));
        Assert.Equal("FrozenMatrix: Q4_1 keeps a row in blocks of 32 numbers, which rows of 40 inputs do not fill; store this weight as Float16 or BFloat16.", error.Message);
        error = Assert.Throws<ArgumentException>(() => new FrozenMatrixBuilder(StoredNumbers.Q8_0, 32, 32, transposed: true));
        Assert.Equal("FrozenMatrix: the blocks of Q8_0 lie along the inputs, so a weight stored as (In, Out) cannot be in this format; transpose it first.", error.Message);
        error = Assert.Throws<ArgumentException>(() => FrozenMatrix.FromStored(StoredNumbers.Float16, new byte[7], 2, 2));
        Assert.Equal("FrozenMatrix: 7 bytes were added, but 2 rows of 4 bytes are left of the weight [2, 2] as Float16; add whole rows.", error.Message);
        Assert.Throws<ArgumentException>(() => FrozenMatrix.FromStored(StoredNumbers.Float16, new byte[12], 2, 2));
        InvalidOperationException missing = Assert.Throws<InvalidOperationException>(() => new FrozenMatrixBuilder(StoredNumbers.BFloat16, 2, 2).Build());
        Assert.Equal("FrozenMatrix: 2 rows of the weight [2, 2] have not been added.", missing.Message);
    }

    /// <summary>Random blocks whose scales are of ordinary size, some of them subnormal.</summary>
    internal static byte[] Stored(StoredNumbers numbers, int count, int seed)
    {
        Random random = new(seed);
        byte[] stored = new byte[numbers.ByteCount(count)];
        int block = numbers.BlockBytes();
        if (numbers.BlockLength() == 1)
        {
            float[] values = GemmCase.Numbers(count, seed);
            for (int i = 0; i < count; i += 7)
            {
                values[i] *= 3e-5f;
            }

            StoredBlocks.Quantize(numbers, values, stored);
            return stored;
        }

        random.NextBytes(stored);
        for (int at = 0; at < stored.Length; at += block)
        {
            double size = random.Next(9) == 0 ? 1e-6 : 0.02;
            int d = numbers == StoredNumbers.Q6_K ? 208 : 0;
            BinaryPrimitives.WriteHalfLittleEndian(stored.AsSpan(at + d), (Half)(size * (random.NextDouble() - 0.4)));
            if (numbers is StoredNumbers.Q4_1 or StoredNumbers.Q5_1 or StoredNumbers.Q4_K)
            {
                BinaryPrimitives.WriteHalfLittleEndian(stored.AsSpan(at + 2), (Half)(size * -8 * random.NextDouble()));
            }
        }

        return stored;
    }

    private static bool Near(float[] x, float[] w, float[] y, int rows, int outputs, int inputs, bool transposed)
    {
        for (int r = 0; r < rows; r++)
        {
            for (int o = 0; o < outputs; o++)
            {
                double sum = 0;
                double size = 1e-30;
                for (int p = 0; p < inputs; p++)
                {
                    double term = (double)x[(r * inputs) + p] * w[transposed ? (p * outputs) + o : (o * inputs) + p];
                    sum += term;
                    size += Math.Abs(term);
                }

                if (!(Math.Abs(sum - y[(r * outputs) + o]) <= 1e-6 * Math.Sqrt(inputs) * size))
                {
                    throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"row {r}, output {o}: {y[(r * outputs) + o]} instead of {sum}"));
                }
            }
        }

        return true;
    }
}
