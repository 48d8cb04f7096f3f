namespace ElderManaged.Tensors;

/// <summary>The argument checks that the plain and the fast product share.</summary>
internal static class GemmShapes
{
    /// <summary>Throws when sizes and lengths do not fit together; false when C has no elements.</summary>
    public static bool Check(bool transA, bool transB, int m, int n, int k, int aLength, int lda, int bLength, int ldb, int cLength, int ldc)
    {
        if (m < 0 || n < 0 || k < 0)
        {
            throw new ArgumentException($"Gemm: sizes must not be negative, got m = {m}, n = {n}, k = {k}.");
        }

        CheckMatrix("A", transA ? k : m, transA ? m : k, lda, aLength);
        CheckMatrix("B", transB ? n : k, transB ? k : n, ldb, bLength);
        CheckMatrix("C", m, n, ldc, cLength);
        return m > 0 && n > 0;
    }

    private static void CheckMatrix(string name, int rows, int columns, int stride, int length)
    {
        if (rows == 0 || columns == 0)
        {
            return;
        }

        if (stride < columns)
        {
            throw new ArgumentException($"Gemm: {name} is stored as [{rows}, {columns}], but its row stride ld{name.ToLowerInvariant()} = {stride} is below {columns}.");
        }

        long needed = ((long)(rows - 1) * stride) + columns;
        if (length < needed)
        {
            throw new ArgumentException($"Gemm: {name} is stored as [{rows}, {columns}] with row stride {stride} and needs {needed} elements, but the span holds {length}.");
        }
    }
}
