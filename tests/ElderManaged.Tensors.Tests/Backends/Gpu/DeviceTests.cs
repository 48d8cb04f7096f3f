using ElderManaged.Testing;
using ILGPU.Runtime;
using ILGPU.Runtime.OpenCL;
using Device = ElderManaged.Tensors.Device;

namespace ElderManaged.Tensors.Tests;

/// <summary>Where numbers lie, what moves them, and what is said when a device will not do.</summary>
public sealed class DeviceTests
{
    [Fact]
    public void AnUnknownDeviceIsRefusedWithTheNamesThatExist()
    {
        DeviceException failure = Assert.Throws<DeviceException>(() => Device.Open("tpu"));
        Assert.Contains("'tpu'", failure.Message, StringComparison.Ordinal);
        Assert.Contains("auto, cpu, cuda or opencl", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AutoTakesWhatTheCatalogSaysAndTellsWhy()
    {
        List<string> said = [];
        using Device device = Device.Open(DeviceKinds.Auto, said.Add);
        Assert.Equal(DeviceCatalog.TakenByAuto(DeviceCatalog.Discover()).Kind, device.Report.Kind);
        Assert.EndsWith(".", Assert.Single(said), StringComparison.Ordinal);
    }

    [Fact]
    public void AutoFallsBackToTheProcessorAndSaysWhy()
    {
        DeviceReport gpu = new(DeviceKinds.Cuda, "a GPU", Usable: true, null, 1L << 33, "driver 1");
        List<string> said = [];
        Device Take(DeviceReport? report, Exception? failure = null) => GpuDevices.Take(
            report is null ? [] : [(report, null!)], _ => throw failure ?? new InvalidOperationException("It shall not be opened."), said.Add);

        Assert.Same(Device.Cpu, Take(null));
        Assert.Same(Device.Cpu, Take(gpu with { Usable = false, Refusal = "its driver is too old." }));
        Assert.Same(Device.Cpu, Take(gpu with { NotForAuto = "it is slow." }));
        Assert.Same(Device.Cpu, Take(gpu, new DeviceException("a GPU cannot be opened: it is busy.")));
        Assert.Equal(
            [
                "No GPU will do (none was found), so the processor computes.",
                "No GPU will do (a GPU: its driver is too old.), so the processor computes.",
                "No GPU will do (a GPU: it is slow.), so the processor computes.",
                "a GPU cannot be opened: it is busy. The processor computes instead.",
            ],
            said);
    }

    // Whatever is asked of it next fails with the same sentence: what happened, and what to do.
    [OpenCLFact]
    public void OnOpenCLALostDeviceSaysSoWhateverIsAskedOfIt()
    {
        using Device device = TestDevices.NewOpenCL();
        Tensor x = Tensor.Full(new Shape(2, 300), 1), y = Tensor.Full(new Shape(2, 300), 1);
        x.MoveTo(device);
        TestDevices.Lose(device);
        foreach (Action ask in (Action[])[() => Op.Gelu(x), x.Clear, () => _ = x.ReadOnlySpan[0], () => y.MoveTo(device), () => x.Clone(), device.Synchronize])
        {
            DeviceException failure = Assert.Throws<DeviceException>(ask);
            Assert.Contains("It may have been lost or reset", failure.Message, StringComparison.Ordinal);
            Assert.Contains("--device cpu", failure.Message, StringComparison.Ordinal);
            Assert.NotNull(failure.InnerException);
        }

        Assert.Equal(1, y[0]);
    }

    [Fact]
    public void AKindWithoutAUsableDeviceIsRefusedWithTheReasonAndTheRemedy()
    {
        foreach (string kind in new[] { DeviceKinds.Cuda, DeviceKinds.OpenCL })
        {
            if (!DeviceCatalog.Discover().Any(found => found.Kind == kind && found.Usable))
            {
                DeviceException failure = Assert.Throws<DeviceException>(() => Device.Open(kind));
                Assert.Contains(kind, failure.Message, StringComparison.Ordinal);
                Assert.Contains("driver", failure.Message, StringComparison.Ordinal);
            }
        }
    }

    [OpenCLFact]
    public void OnOpenCLReadingKeepsANumberThereAndWritingBringsItHome()
    {
        using Device device = TestDevices.NewOpenCL();
        Tensor x = new(new Shape(2, 3), [1, 2, 3, 4, 5, 6]);
        x.MoveTo(device);
        DeviceTransfers before = device.Transfers;
        Assert.Equal(4f, x.ReadOnlyRow(1)[0]);
        Assert.Equal(6f, x.ReadOnlySpan[5]);
        Assert.Same(device, x.Device);
        Assert.Equal(before.Downloads + 1, device.Transfers.Downloads);
        x[0, 0] = -1;
        Assert.Same(Device.Cpu, x.Device);
        x.MoveTo(device);
        using Tape tape = Tape.Start(record: false);
        Tensor y = Op.Gelu(x);
        Assert.Same(device, y.Device);
        Assert.Equal(Op.Gelu(new Tensor(x.Shape, [-1, 2, 3, 4, 5, 6])).ReadOnlySpan.ToArray(), y.ReadOnlySpan.ToArray(), (a, b) => Math.Abs(a - b) < 1e-6);
    }

    [OpenCLFact]
    public void OnOpenCLAViewLeavesTheRestOfItsTensorAlone()
    {
        using Tape tape = Tape.Start(record: false);
        Tensor x = new(new Shape(4, 2), [1, 2, 3, 4, 5, 6, 7, 8]);
        x.MoveTo(TestDevices.OpenCL!);
        Op.SliceRows(x, 1, 2).Clear();
        Assert.Equal([1, 2, 0, 0, 0, 0, 7, 8], x.ReadOnlySpan.ToArray());
    }

    // On a thread of its own, whose tapes are new: the pools of others let go at some time what other tests needed.
    [OpenCLFact]
    public Task OnOpenCLAThousandStepsUseTheMemoryOfOne() =>
        Task.Factory.StartNew(ThousandSteps, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static void ThousandSteps()
    {
        // Of its own: other tests take memory of the common one meanwhile.
        using Device device = TestDevices.NewOpenCL();
        Tensor x = new(new Shape(5, 700)) { RequiresGrad = true };
        x.MoveTo(device);
        float[] dy = [.. Enumerable.Range(0, x.Length).Select(i => (float)i)];
        void Step()
        {
            using Tape tape = Tape.Start();
            x.ZeroGrad();
            tape.Backward(Op.Gelu(Op.Gelu(x)), dy);
        }

        Step();
        Step();
        device.Synchronize();
        long held = device.AllocatedBytes;
        for (int i = 0; i < 1000; i++)
        {
            Step();
        }

        Assert.Equal(held, device.AllocatedBytes);
    }

    [OpenCLFact]
    public void OnOpenCLFullMemoryIsAnErrorThatNamesNeedAndRoomAndLosesNothing()
    {
        GpuDevice open = (GpuDevice)TestDevices.OpenCL!;
        CLDevice driver = TestDevices.Context.GetCLDevice(0);
        using GpuDevice small = new(driver.CreateAccelerator(TestDevices.Context), open.Report with { MemoryBytes = 1 << 20 });
        Tensor kept = Tensor.Full(new Shape(100_000), 3);
        kept.MoveTo(small);
        Tensor large = Tensor.Full(new Shape(200_000), 5);
        DeviceException failure = Assert.Throws<DeviceException>(() => large.MoveTo(small));
        Assert.Contains("no room for", failure.Message, StringComparison.Ordinal);
        Assert.Contains("1.0 MiB", failure.Message, StringComparison.Ordinal);
        Assert.Contains("are free", failure.Message, StringComparison.Ordinal);
        Assert.Equal(5, large[7]);
        Assert.Equal(3, kept.ReadOnlySpan[99_999]);
    }

    [OpenCLFact]
    public void OnOpenCLADisposedDeviceSaysSo()
    {
        Device other = TestDevices.NewOpenCL();
        Tensor x = Tensor.Full(new Shape(10), 1);
        x.MoveTo(other);
        other.Dispose();
        other.Dispose();
        Assert.Throws<ObjectDisposedException>(() => x.ReadOnlySpan[0]);
    }
}
