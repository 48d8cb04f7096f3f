namespace ElderManaged.Tensors;

/// <summary>How wide the CPU kernels compute. Every level gives the same bits; only the speed differs.</summary>
public enum SimdLevel
{
    /// <summary>One value at a time; works everywhere.</summary>
    Scalar = 0,

    /// <summary>Four values at a time (SSE, Arm AdvSimd).</summary>
    Vector128 = 1,

    /// <summary>Eight values at a time (AVX2 with FMA).</summary>
    Vector256 = 2,

    /// <summary>Sixteen values at a time (AVX-512).</summary>
    Vector512 = 3,
}
