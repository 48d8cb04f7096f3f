namespace ElderManaged.Cli;

/// <summary>The one place where the command line knows of the GPU path; in a build without it, nothing happens here.</summary>
internal static class GpuConnection
{
    /// <summary>Adds the GPU path's way of finding devices to the catalog; no driver is loaded before somebody asks for devices.</summary>
    public static void Open()
    {
#if ELDER_GPU
        if (Tensors.GpuFeature.IsSupported)
        {
            Gpu.GpuDevices.Register();
        }
#endif
    }
}
