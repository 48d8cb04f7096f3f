namespace ElderManaged.Tensors;

/// <summary><see cref="Op.MatMul"/> on a GPU: all products of a batch in one launch.</summary>
internal static class MatMulGpu
{
    /// <summary>C = op(A)·op(B).</summary>
    public static void Forward(GpuDevice gpu, in MatMulSizes z, Tensor a, Tensor b, Tensor c) =>
        GemmGpu.Multiply(gpu, new GemmArguments(z.M, z.N, z.K, gpu.Read(a), z.TransposeA, gpu.Read(b), z.TransposeB, gpu.Write(c), false) { Batch = z.Batch });

    /// <summary>d(op(A)) = dC·op(B)ᵀ, d(op(B)) = op(A)ᵀ·dC; transposed back where op transposed.</summary>
    public static void Backward(GpuDevice gpu, in MatMulSizes z, Tensor a, Tensor b, Tensor dc)
    {
        (int m, int n, int k) = (z.M, z.N, z.K);
        if (Tape.Wants(a))
        {
            Tensor da = a.GradSink(out bool fresh);
            GemmGpu.Multiply(gpu, z.TransposeA
                ? new GemmArguments(k, m, n, gpu.Read(b), z.TransposeB, gpu.Read(dc), true, gpu.Sink(da, fresh), !fresh) { Batch = z.Batch }
                : new GemmArguments(m, k, n, gpu.Read(dc), false, gpu.Read(b), !z.TransposeB, gpu.Sink(da, fresh), !fresh) { Batch = z.Batch });
        }

        if (Tape.Wants(b))
        {
            Tensor db = b.GradSink(out bool fresh);
            GemmGpu.Multiply(gpu, z.TransposeB
                ? new GemmArguments(n, k, m, gpu.Read(dc), true, gpu.Read(a), z.TransposeA, gpu.Sink(db, fresh), !fresh) { Batch = z.Batch }
                : new GemmArguments(k, n, m, gpu.Read(a), !z.TransposeA, gpu.Read(dc), false, gpu.Sink(db, fresh), !fresh) { Batch = z.Batch });
        }
    }
}
