namespace ElderManaged.Tensors.Tests.Backends;

/// <summary>What is registered is asked, and nothing that a backend does takes the processor away.</summary>
public sealed class DeviceCatalogTests
{
    [Fact]
    public void TheProcessorIsAlwaysThereAndUsable()
    {
        DeviceReport processor = DeviceCatalog.Discover()[0];
        Assert.Equal(DeviceKinds.Cpu, processor.Kind);
        Assert.True(processor.Usable);
        Assert.Null(processor.Refusal);
        Assert.True(processor.MemoryBytes > 0);
        Assert.NotEmpty(processor.Name);
    }

    [Fact]
    public void ABackendIsAskedOnlyWhenDevicesAreLookedFor()
    {
        const string Backend = "asked when looked for";
        int asked = 0;
        DeviceCatalog.Register(Backend, () =>
        {
            asked++;
            return [Gpu(Backend)];
        });
        try
        {
            Assert.Equal(0, asked);
            Assert.Contains(DeviceCatalog.Discover(), device => device.Name == Backend);
            Assert.Equal(1, asked);
            DeviceCatalog.Register(Backend, () => [Gpu(Backend), Gpu(Backend)]);
            Assert.Equal(2, DeviceCatalog.Discover().Count(device => device.Name == Backend));
            Assert.Equal(1, asked);
            Assert.Single(DeviceCatalog.Backends, name => name == Backend);
        }
        finally
        {
            DeviceCatalog.Unregister(Backend);
        }

        Assert.DoesNotContain(Backend, DeviceCatalog.Backends);
    }

    [Fact]
    public void AFailingBackendIsARefusalThatSaysWhy()
    {
        const string Backend = "fails";
        DeviceCatalog.Register(Backend, () => throw new DllNotFoundException("libOpenCL.so is not there"));
        try
        {
            IReadOnlyList<DeviceReport> devices = DeviceCatalog.Discover();
            DeviceReport refused = Assert.Single(devices, device => device.Kind == Backend);
            Assert.False(refused.Usable);
            Assert.Contains("libOpenCL.so is not there", refused.Refusal, StringComparison.Ordinal);
            Assert.True(devices[0].Usable);
        }
        finally
        {
            DeviceCatalog.Unregister(Backend);
        }
    }

    [Fact]
    public void AutoTakesTheFirstUsableOfTheMostPreferredKind()
    {
        DeviceReport processor = DeviceCatalog.Processor();
        DeviceReport openCL = Gpu("an OpenCL device") with { Kind = DeviceKinds.OpenCL };
        DeviceReport cuda = Gpu("a CUDA device"), second = Gpu("another");
        Assert.Same(cuda, DeviceCatalog.TakenByAuto([processor, openCL, cuda, second]));
        Assert.Same(second, DeviceCatalog.TakenByAuto([processor, openCL, cuda with { Usable = false, Refusal = "too old" }, second]));
        Assert.Same(openCL, DeviceCatalog.TakenByAuto([processor, openCL, cuda with { Usable = false, Refusal = "too old" }]));
        Assert.Same(processor, DeviceCatalog.TakenByAuto([processor, openCL with { NotForAuto = "computes on the processor" }]));
        Assert.Equal(DeviceKinds.Cpu, DeviceCatalog.TakenByAuto([]).Kind);
    }

    private static DeviceReport Gpu(string name) => new(DeviceKinds.Cuda, name, Usable: true, null, 1L << 33, "driver 1");
}
