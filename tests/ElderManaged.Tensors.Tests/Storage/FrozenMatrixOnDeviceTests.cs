using ElderManaged.Testing;

namespace ElderManaged.Tensors.Tests.Storage;

/// <summary>Frozen weights on a device in every stored format, against the processor's products of the same bytes.</summary>
[Collection(CpuThreadsCollection.Name)] // alone, since it counts what goes to the device
public sealed class FrozenMatrixOnDeviceTests
{
    [OpenCLFact]
    public void EveryFormatOnOpenCLGivesTheProductsOfTheProcessor()
    {
        foreach (StoredNumbers numbers in Enum.GetValues<StoredNumbers>())
        {
            foreach (int rows in new[] { 1, 3, 4, 5, 70 })
            {
                Same(TestDevices.OpenCL!, numbers, rows, outputs: 131, BlocksOfInputs(numbers, 300));
                Same(TestDevices.OpenCL!, numbers, rows, outputs: 64, BlocksOfInputs(numbers, 66));
            }
        }
    }

    [Fact]
    public void OnTheSimulator()
    {
        Same(TestDevices.Simulator, StoredNumbers.Float16, 2, outputs: 7, inputs: 67);
        Same(TestDevices.Simulator, StoredNumbers.Q4_1, 5, outputs: 9, inputs: 32);
    }

    [Fact]
    public void InPtx()
    {
        foreach (StoredNumbers numbers in Enum.GetValues<StoredNumbers>())
        {
            Same(TestDevices.Ptx, numbers, 3, outputs: 67, BlocksOfInputs(numbers, 66));
            Same(TestDevices.Ptx, numbers, 70, outputs: 67, BlocksOfInputs(numbers, 18));
        }
    }

    // Odd inputs leave half of a word empty; infinite and undefined halves stay what they are.
    [OpenCLFact]
    public void OddInputsAndSpecialHalvesOnOpenCL()
    {
        Same(TestDevices.OpenCL!, StoredNumbers.Float16, 3, outputs: 65, inputs: 77);
        Same(TestDevices.OpenCL!, StoredNumbers.BFloat16, 9, outputs: 3, inputs: 5);
        Half[] special = [Half.PositiveInfinity, Half.NegativeInfinity, Half.NaN, Half.MaxValue, Half.Epsilon, -Half.Epsilon, (Half)0, (Half)(-0.0)];
        FrozenMatrix weight = FrozenMatrix.FromStored(StoredNumbers.Float16, System.Runtime.InteropServices.MemoryMarshal.AsBytes<Half>(special), 1, special.Length);
        Assert.Equal(special.Select(half => (float)half), Op.Embedding(weight, [0], TestDevices.OpenCL).ReadOnlySpan.ToArray());
    }

    [OpenCLFact]
    public void RowsOfEveryFormatOnOpenCLHaveTheBitsOfTheProcessor()
    {
        int[] ids = [130, 0, 64, 63, 64];
        foreach (StoredNumbers numbers in Enum.GetValues<StoredNumbers>())
        {
            FrozenMatrix weight = Make(numbers, 131, BlocksOfInputs(numbers, 300));
            float[] expected = Op.Embedding(weight, ids).ReadOnlySpan.ToArray();
            Tensor found = Op.Embedding(weight, ids, TestDevices.OpenCL);
            Assert.Equal(TestDevices.OpenCL, found.Device);
            Assert.Equal(expected, found.ReadOnlySpan.ToArray());
        }
    }

    [OpenCLFact]
    public void TheCopyOnOpenCLIsMadeOnceAndAsLargeAsTheStoredBytes()
    {
        using Device device = TestDevices.NewOpenCL(); // of its own: others would be counted too
        FrozenMatrix weight = Make(StoredNumbers.Q8_0, 128, 256);
        Tensor x = new(new Shape(2, 256));
        x.MoveTo(device);
        long before = device.Transfers.UploadedBytes;
        _ = Op.Linear(x, weight, null);
        _ = Op.Linear(x, weight, null);
        Assert.Equal(weight.Bytes, device.Transfers.UploadedBytes - before);
        Assert.True(weight.Bytes < 1.1 * 128 * 256, $"{weight.Bytes} bytes for {128 * 256} numbers of one byte.");
    }

    // A row alone takes another kernel than a row among seventy.
    [OpenCLFact]
    public void OnOpenCLARowDoesNotDependOnOtherRows()
    {
        foreach (StoredNumbers numbers in new[] { StoredNumbers.Float32, StoredNumbers.Float16, StoredNumbers.Q4_0 })
        {
            FrozenMatrix weight = Make(numbers, 131, 320);
            Tensor x = LinearTests.Random(new RandomSource(3), new Shape(70, 320));
            float[] row = x.Row(66).ToArray();
            x.MoveTo(TestDevices.OpenCL!);
            Tensor alone = new(new Shape(1, 320), row);
            alone.MoveTo(TestDevices.OpenCL!);
            float[] all = Op.Linear(x, weight, null).ReadOnlySpan.ToArray();
            Assert.Equal(all.AsSpan(66 * 131, 131).ToArray(), Op.Linear(alone, weight, null).ReadOnlySpan.ToArray());
        }
    }

    private static void Same(Device device, StoredNumbers numbers, int rows, int outputs, int inputs)
    {
        FrozenMatrix weight = Make(numbers, outputs, inputs);
        float[][] expected = Products(weight, Device.Cpu, rows);
        float[][] found = Products(weight, device, rows);
        string[] names = ["y", "dx"];
        for (int i = 0; i < names.Length; i++)
        {
            double[] precise = expected[i].Select(value => (double)value).ToArray();
            OpChecks.AssertClose(precise, found[i], 1e-5, $"{names[i]} of {rows} rows with [{outputs}, {inputs}] as {numbers}");
        }
    }

    // y, and dx of a seed added to what dx held before.
    private static float[][] Products(FrozenMatrix weight, Device device, int rows)
    {
        RandomSource random = new(9);
        Tensor x = LinearTests.Random(random, new Shape(rows, weight.InFeatures));
        Tensor bias = LinearTests.Random(random, new Shape(weight.OutFeatures));
        Tensor dy = LinearTests.Random(random, new Shape(rows, weight.OutFeatures));
        x.MoveTo(device);
        x.RequiresGrad = true;
        using Tape tape = Tape.Start();
        Tensor y = Op.Linear(x, weight, bias);
        Assert.Equal(device, y.Device);
        float[] value = y.ReadOnlySpan.ToArray();
        tape.Backward(y, dy.Span);
        Assert.Equal(device, x.Grad!.Device);
        Tensor again = Op.Linear(x, weight, null);
        tape.Backward(again, dy.Span);
        return [value, x.Grad!.ReadOnlySpan.ToArray()];
    }

    private static int BlocksOfInputs(StoredNumbers numbers, int atLeast)
    {
        int block = numbers.BlockLength();
        return (atLeast + block - 1) / block * block;
    }

    private static FrozenMatrix Make(StoredNumbers numbers, int outputs, int inputs) =>
        FrozenMatrix.FromStored(numbers, StoredMatrixTests.Stored(numbers, outputs * inputs, 5), outputs, inputs);

    // Several pieces each, needed at once and in another order than they were begun.
    [OpenCLFact]
    public void WeightsOnTheirWayToOpenCLGiveTheBitsOfThoseThatAreThere()
    {
        const int Inputs = 1000, Outputs = 1300, Count = 5;
        using Device early = TestDevices.NewOpenCL(), late = TestDevices.NewOpenCL();
        RandomSource random = new(4);
        float[] numbers = new float[Inputs * Outputs];
        FrozenMatrix[] weights = [.. Enumerable.Range(0, Count).Select(_ =>
        {
            random.FillUniform(numbers, -1, 1);
            return FrozenMatrix.FromDense(numbers, Outputs, Inputs);
        })];
        Tensor x = new(new Shape(2, Inputs));
        random.FillUniform(x.Span, -1, 1);
        float[][] Products(Device device)
        {
            Tensor input = x.Clone();
            input.MoveTo(device);
            return [.. weights.Reverse().Select(weight => Op.Linear(input, weight, null).ReadOnlySpan.ToArray())];
        }

        foreach (FrozenMatrix weight in weights)
        {
            weight.BeginMove(early);
            weight.BeginMove(Device.Cpu);
        }

        float[][] found = Products(early);
        Assert.Equal(Products(late), found);
        Assert.Equal(late.Transfers.UploadedBytes, early.Transfers.UploadedBytes);
    }

    // The simulator takes the way of CUDA: by page-locked memory, two pieces in turn.
    [Fact]
    public unsafe void PiecesOfAWeightArriveWhereTheyBelong()
    {
        GpuDevice device = (GpuDevice)TestDevices.Simulator;
        AlignedBuffer numbers = new(5_000_003);
        for (int i = 0; i < numbers.Length; i++)
        {
            numbers.Pointer[i] = i;
        }

        float[] arrived = new float[numbers.Length];
        GpuMemory memory = device.Uploads.Bring(numbers);
        memory.Download(arrived);
        memory.Free();
        Assert.True(arrived.AsSpan().SequenceEqual(new ReadOnlySpan<float>(numbers.Pointer, arrived.Length)));
    }

    [OpenCLFact]
    public void OnOpenCLADeviceMayBeFreedWhileWeightsAreOnTheirWay()
    {
        FrozenMatrix weight = FrozenMatrix.FromDense(new float[1 << 22], 1 << 11, 1 << 11);
        for (int i = 0; i < 5; i++)
        {
            Device device = TestDevices.NewOpenCL();
            weight.BeginMove(device);
            weight.BeginMove(device);
            device.Dispose();
            weight.BeginMove(device);
        }
    }
}
