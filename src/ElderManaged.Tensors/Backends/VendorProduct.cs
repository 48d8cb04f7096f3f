namespace ElderManaged.Tensors;

/// <summary>
/// A product y = x·Wᵀ in float32 by the library that the vendor of a GPU ships, to compare the engine's own kernels with. Nothing
/// in the engine computes by it.
/// </summary>
public abstract class VendorProduct : IDisposable
{
    private protected VendorProduct()
    {
    }

    /// <summary>The library's name.</summary>
    public abstract string Library { get; }

    /// <summary>Finds the library and makes up matrices on the device: cuBLAS on a CUDA device where it is installed.</summary>
    /// <param name="device">Where to compute.</param>
    /// <param name="rows">Rows of x.</param>
    /// <param name="inputs">Columns of x and of W.</param>
    /// <param name="outputs">Rows of W.</param>
    /// <returns>Null where there is no such library.</returns>
    public static VendorProduct? Find(Device device, int rows, int inputs, int outputs) =>
        GpuFeature.IsSupported && device is GpuDevice gpu ? CuBlasProduct.Find(gpu, rows, inputs, outputs) : null;

    /// <summary>Asks for one product, in order with the engine's own work; see <see cref="Device.Synchronize"/>.</summary>
    public abstract void Run();

    /// <summary>Lets go of the library.</summary>
    public abstract void Dispose();
}
