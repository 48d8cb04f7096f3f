using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

/// <summary>
/// A block of floats that lies on the host, on a device, or on both with the same numbers. On the host it is pinned, so that
/// kernels on several threads may take its address once, and 64-byte aligned, so that a 512-bit load never crosses a cache line.
/// </summary>
/// <remarks>
/// <code>
///              host access that may write                device access that may write
///                  ┌──────────┐                               ┌──────────┐
///      Nowhere ──→ │   Host   │ ←── copy down if needed ───── │  Device  │ ←── Nowhere
///    (undefined)   └──────────┘ ─── copy up if needed ──────→ └──────────┘
///                        └────── read on the other side ──→ Both ──┘
/// </code>
/// Memory of either side is taken at its first use there, so what lives on a device takes none of the host's. Moves take a lock;
/// where nothing moves, which is always so without a device, an access costs one comparison.
/// </remarks>
internal sealed unsafe class FloatBuffer
{
    private const int Alignment = 64;
    private readonly Lock moving = new();
    private float[]? array;
    private int first;
    private DeviceMemory? device;
    private volatile Residence residence;

    public FloatBuffer(int capacity, bool zeroed)
    {
        Capacity = capacity;
        if (zeroed)
        {
            Allocate(zeroed: true);
            residence = Residence.Host;
        }
    }

    private enum Residence
    {
        Nowhere,
        Host,
        Device,
        Both,
    }

    public int Capacity { get; }

    /// <summary>How many tensors of a tape use this memory; the last one returns it to the pool.</summary>
    public int Users { get; set; } = 1;

    /// <summary>The device that holds the numbers, perhaps as the host does; null where only the host does.</summary>
    public Device? Device => residence >= Residence.Device ? device!.Device : null;

    /// <summary>The address of the first element, for reading and writing; stays valid as long as this object is reachable.</summary>
    public float* Pointer
    {
        get
        {
            ToHost(writes: true);
            return (float*)Unsafe.AsPointer(ref array![first]);
        }
    }

    public Span<float> Span(int offset, int length)
    {
        ToHost(writes: true);
        return array.AsSpan(first + offset, length);
    }

    public ReadOnlySpan<float> ReadOnlySpan(int offset, int length)
    {
        ToHost(writes: false);
        return array.AsSpan(first + offset, length);
    }

    public Memory<float> Memory(int offset, int length)
    {
        ToHost(writes: true);
        return array.AsMemory(first + offset, length);
    }

    /// <summary>The memory on a device, holding the numbers unless <paramref name="overwrites"/>.</summary>
    /// <param name="target">The device.</param>
    /// <param name="writes">Whether the device may change them; then the host's are no longer right.</param>
    /// <param name="overwrites">Whether the device sets all of them: what was there need not be moved.</param>
    public DeviceMemory OnDevice(Device target, bool writes, bool overwrites)
    {
        lock (moving)
        {
            if (device is not null && device.Device != target)
            {
                // From device to device by way of the host.
                if (residence == Residence.Device && !overwrites)
                {
                    Down();
                }

                device.Free();
                device = null;
                residence = residence == Residence.Nowhere || overwrites ? Residence.Nowhere : Residence.Host;
            }

            device ??= target.Allocate(Capacity);
            if (residence == Residence.Host && !overwrites)
            {
                device.Upload(array.AsSpan(first, Capacity));
                residence = Residence.Both;
            }

            if (writes || residence == Residence.Nowhere)
            {
                residence = Residence.Device;
            }

            return device;
        }
    }

    /// <summary>Forgets the numbers, so that no side moves them; for buffers that return to a pool.</summary>
    public void Forget()
    {
        if (residence != Residence.Host)
        {
            residence = Residence.Nowhere;
        }
    }

    private void ToHost(bool writes)
    {
        if (residence == Residence.Host || (residence == Residence.Both && !writes))
        {
            return;
        }

        Move(writes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Move(bool writes)
    {
        lock (moving)
        {
            Allocate(zeroed: false);
            if (residence == Residence.Device)
            {
                Down();
                residence = Residence.Both;
            }

            if (writes || residence == Residence.Nowhere)
            {
                residence = Residence.Host;
            }
        }
    }

    private void Down()
    {
        Allocate(zeroed: false);
        device!.Download(array.AsSpan(first, Capacity));
    }

    private void Allocate(bool zeroed)
    {
        if (array is not null)
        {
            return;
        }

        int padded = checked(Capacity + Alignment / sizeof(float));
        float[] memory = zeroed
            ? GC.AllocateArray<float>(padded, pinned: true)
            : GC.AllocateUninitializedArray<float>(padded, pinned: true);
        nuint address = (nuint)Unsafe.AsPointer(ref memory[0]);
        nuint aligned = (address + Alignment - 1) & ~(nuint)(Alignment - 1);
        first = (int)(aligned - address) / sizeof(float);
        array = memory;
    }
}
