using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

/// <summary>
/// A pinned, 64-byte aligned block of floats. Pinned, so that kernels on several threads may take its address
/// once; aligned, so that a 512-bit load never crosses a cache line.
/// </summary>
internal sealed unsafe class FloatBuffer
{
    private const int Alignment = 64;
    private readonly float[] array;
    private readonly int first;

    public FloatBuffer(int capacity, bool zeroed)
    {
        int padded = checked(capacity + Alignment / sizeof(float));
        array = zeroed
            ? GC.AllocateArray<float>(padded, pinned: true)
            : GC.AllocateUninitializedArray<float>(padded, pinned: true);
        nuint address = (nuint)Unsafe.AsPointer(ref array[0]);
        nuint aligned = (address + Alignment - 1) & ~(nuint)(Alignment - 1);
        first = (int)(aligned - address) / sizeof(float);
        Capacity = capacity;
    }

    public int Capacity { get; }

    /// <summary>How many tensors of a tape use this memory; the last one returns it to the pool.</summary>
    public int Users { get; set; } = 1;

    /// <summary>The address of the first element; stays valid as long as this object is reachable.</summary>
    public float* Pointer => (float*)Unsafe.AsPointer(ref array[first]);

    public Span<float> Span(int offset, int length) => array.AsSpan(first + offset, length);

    public Memory<float> Memory(int offset, int length) => array.AsMemory(first + offset, length);
}
