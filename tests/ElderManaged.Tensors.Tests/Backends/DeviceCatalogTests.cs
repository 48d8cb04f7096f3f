namespace ElderManaged.Tensors.Tests.Backends;

/// <summary>What drivers find is listed, and nothing that they do takes the processor away.</summary>
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
    public void WhatDriversFindComesBehindTheProcessor()
    {
        IReadOnlyList<DeviceReport> devices = DeviceCatalog.Discover(() => [Gpu("one"), Gpu("another")]);
        Assert.Equal([DeviceCatalog.Processor().Name, "one", "another"], devices.Select(device => device.Name));
        Assert.Equal(GpuFeature.IsSupported ? ["ILGPU"] : [], DeviceCatalog.Backends);
    }

    [Fact]
    public void AFailingDriverIsARefusalThatSaysWhy()
    {
        IReadOnlyList<DeviceReport> devices = DeviceCatalog.Discover(() => throw new DllNotFoundException("libOpenCL.so is not there"));
        DeviceReport refused = Assert.Single(devices, device => device.Kind != DeviceKinds.Cpu);
        Assert.False(refused.Usable);
        Assert.Contains("libOpenCL.so is not there", refused.Refusal, StringComparison.Ordinal);
        Assert.True(devices[0].Usable);
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
