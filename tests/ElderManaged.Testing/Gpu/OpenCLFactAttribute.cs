namespace ElderManaged.Testing;

/// <summary>A test that runs kernels through an OpenCL driver; skipped, with the remedy in the reason, where none is installed. Give it a name with "OpenCL" in it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class OpenCLFactAttribute : FactAttribute
{
    /// <summary>Looks for a driver.</summary>
    public OpenCLFactAttribute()
    {
        if (TestDevices.OpenCL is null)
        {
            Skip = "needs an OpenCL driver, such as PoCL (on Debian: apt-get install pocl-opencl-icd ocl-icd-opencl-dev)";
        }
    }
}
