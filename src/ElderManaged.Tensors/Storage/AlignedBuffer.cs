using System.Runtime.InteropServices;

namespace ElderManaged.Tensors;

/// <summary>
/// Native memory for floats, on a cache-line boundary, outside the garbage collector's heap; large ones on <see cref="HugePages"/>. Freed when disposed or no
/// longer referenced.
/// </summary>
internal sealed unsafe class AlignedBuffer : IDisposable
{
    private const nuint Alignment = 64;

    private float* _pointer;

    public AlignedBuffer(long length)
    {
        Length = length;
        nuint bytes = checked((nuint)Math.Max(1, length) * sizeof(float));
        _pointer = (float*)NativeMemory.AlignedAlloc(bytes, bytes < HugePages.Size ? Alignment : HugePages.Size);
        HugePages.Advise(_pointer, bytes);
        if (length > 0)
        {
            GC.AddMemoryPressure(length * sizeof(float));
        }
    }

    ~AlignedBuffer() => Free();

    /// <summary>How many floats fit.</summary>
    public long Length { get; }

    /// <summary>The first float. Valid as long as this object is reachable: keep it alive across the use.</summary>
    public float* Pointer => _pointer;

    /// <summary>Returns <paramref name="buffer"/> when it is large enough, else replaces it by a larger one. For scratch memory kept in a thread-static field.</summary>
    public static float* Rent(ref AlignedBuffer? buffer, long length)
    {
        if (buffer is null || buffer.Length < length)
        {
            buffer?.Dispose();
            buffer = new AlignedBuffer(length);
        }

        return buffer._pointer;
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_pointer != null)
        {
            NativeMemory.AlignedFree(_pointer);
            _pointer = null;
            if (Length > 0)
            {
                GC.RemoveMemoryPressure(Length * sizeof(float));
            }
        }
    }
}
