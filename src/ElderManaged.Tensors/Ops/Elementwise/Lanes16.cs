using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>
/// Reads and writes sixteen floats of a span at once; at the end of the span those that are left, with zeros for the others,
/// so that the last few elements get the same arithmetic as all.
/// </summary>
internal static class Lanes16
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(ReadOnlySpan<float> source, int start) =>
        start <= source.Length - 16 ? Vector512.Create(source[start..]) : LoadRest(source[start..]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> value, Span<float> target, int start)
    {
        if (start <= target.Length - 16)
        {
            value.CopyTo(target[start..]);
        }
        else
        {
            StoreRest(value, target[start..]);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector512<float> LoadRest(ReadOnlySpan<float> rest)
    {
        Span<float> sixteen = stackalloc float[16];
        rest.CopyTo(sixteen);
        return Vector512.Create<float>(sixteen);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StoreRest(Vector512<float> value, Span<float> rest)
    {
        Span<float> sixteen = stackalloc float[16];
        value.CopyTo(sixteen);
        sixteen[..rest.Length].CopyTo(rest);
    }
}
