using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>
/// Hints to fetch memory before it is read. The hardware foresees steps within a page of 4 KB; what lies behind the page's
/// end, or far apart, it does not. A hint to an address that does not exist does nothing, so loops need not stop short.
/// </summary>
internal static unsafe class Prefetch
{
    /// <summary>Into the second-level cache: for what is wanted in thousands of cycles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Near(float* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(address);
        }
    }

    /// <summary>Into the first-level cache: for what is wanted in hundreds of cycles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Nearest(float* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }
}
