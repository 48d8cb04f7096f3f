using ILGPU.Runtime.Cuda;

namespace ElderManaged.Tensors;

/// <summary>A product by cuBLAS, which has to be installed; tensor cores stay off, as float32 wants.</summary>
internal sealed class CuBlasProduct : VendorProduct
{
    private readonly GpuDevice gpu;
    private readonly CuBlas blas;
    private readonly int rows, inputs, outputs;
    private readonly Tensor x, weight, y;

    private CuBlasProduct(GpuDevice gpu, CuBlas blas, int rows, int inputs, int outputs)
    {
        (this.gpu, this.blas, this.rows, this.inputs, this.outputs) = (gpu, blas, rows, inputs, outputs);
        (x, weight, y) = (Tensor.Full(new Shape(rows, inputs), 0.5f), Tensor.Full(new Shape(outputs, inputs), 0.25f), new Tensor(new Shape(rows, outputs)));
    }

    public override string Library => "cuBLAS";

    public static CuBlasProduct? Find(GpuDevice gpu, int rows, int inputs, int outputs)
    {
        lock (gpu.Gate)
        {
            if (gpu.Bound() is not CudaAccelerator cuda)
            {
                return null;
            }

            try
            {
                return new CuBlasProduct(gpu, new CuBlas(cuda) { Stream = (CudaStream)cuda.DefaultStream }, rows, inputs, outputs);
            }
            catch (Exception failure) when (failure is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException or NotSupportedException or CuBlasException)
            {
                return null; // not installed, or one that ILGPU does not know
            }
        }
    }

    // The library has columns where we have rows: yᵀ = W·xᵀ.
    public override void Run()
    {
        lock (gpu.Gate)
        {
            gpu.Bound();
            blas.Gemm(CuBlasOperation.Transpose, CuBlasOperation.NonTranspose, outputs, rows, inputs, 1, gpu.Read(weight), inputs, gpu.Read(x), inputs, 0, gpu.Write(y), outputs);
        }
    }

    public override void Dispose()
    {
        lock (gpu.Gate)
        {
            blas.Dispose();
        }
    }
}
