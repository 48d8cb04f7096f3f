using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>Memory on a GPU, lent by a <see cref="GpuMemoryPool"/>. Goes back when freed, or when nothing refers to it any more.</summary>
internal sealed class GpuMemory(GpuDevice device, GpuMemoryPool pool, MemoryBuffer1D<byte, Stride1D.Dense> buffer) : DeviceMemory(device)
{
    private MemoryBuffer1D<byte, Stride1D.Dense>? lent = buffer;

    ~GpuMemory() => Return();

    public ArrayView<byte> Bytes => Lent.View.AsContiguous();

    public ArrayView<float> Floats => Lent.View.Cast<byte, float>().AsContiguous();

    public ArrayView<uint> Words => Lent.View.Cast<byte, uint>().AsContiguous();

    private MemoryBuffer1D<byte, Stride1D.Dense> Lent => lent ?? throw new ObjectDisposedException(nameof(GpuMemory));

    public override void Upload(ReadOnlySpan<float> source) => Upload(0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(source));

    /// <summary>Copies bytes from the host to some place in this memory.</summary>
    public void Upload(long start, ReadOnlySpan<byte> source)
    {
        GpuDevice gpu = (GpuDevice)Device;
        lock (gpu.Gate)
        {
            try
            {
                gpu.Staging.Upload(source, this, start);
            }
            catch (AcceleratorException failure)
            {
                throw gpu.Lost($"take {source.Length:N0} bytes", failure);
            }
        }
    }

    public override void Download(Span<float> target) => Download(0, target);

    /// <summary>Copies floats from some place in this memory to the host.</summary>
    public void Download(long start, Span<float> target)
    {
        GpuDevice gpu = (GpuDevice)Device;
        lock (gpu.Gate)
        {
            try
            {
                gpu.Staging.Download(this, sizeof(float) * start, System.Runtime.InteropServices.MemoryMarshal.AsBytes(target));
            }
            catch (AcceleratorException failure)
            {
                throw gpu.Lost($"give back {sizeof(float) * (long)target.Length:N0} bytes", failure);
            }
        }
    }

#pragma warning disable CA1816 // It is what Dispose would be, on a class that others than its owner must not dispose.
    public override void Free()
    {
        Return();
        GC.SuppressFinalize(this);
    }
#pragma warning restore CA1816

    /// <summary>Gives the memory back to the driver, when what was asked of the device before is done: nobody will need as much again.</summary>
    public void Discard()
    {
        if (Interlocked.Exchange(ref lent, null) is { } buffer)
        {
            pool.Discard(buffer);
        }
    }

    private void Return()
    {
        if (Interlocked.Exchange(ref lent, null) is { } buffer)
        {
            pool.Return(buffer);
        }
    }
}

/// <summary>
/// Keeps memory that is not used any more for the next who needs as much. A steady loop so allocates nothing; where a device
/// runs out, what lies unused is given back to the driver first.
/// </summary>
/// <remarks>
/// Work is done in the order it was asked for, so memory may be lent again at once: who writes it next does so after those who
/// still read it.
/// </remarks>
internal sealed class GpuMemoryPool(GpuDevice device)
{
    private readonly Lock guard = new();
    private readonly Dictionary<long, Stack<MemoryBuffer1D<byte, Stride1D.Dense>>> free = [];

    // Lent ones too: a buffer that only its borrower knew would be finalized along with it, and come back dead.
    private readonly HashSet<MemoryBuffer1D<byte, Stride1D.Dense>> all = [];
    private long allocated;

    public long AllocatedBytes => Interlocked.Read(ref allocated);

    public GpuMemory Rent(long bytes, bool reuse = true)
    {
        long size = SizeClass(bytes);
        lock (guard)
        {
            if (reuse && free.TryGetValue(size, out Stack<MemoryBuffer1D<byte, Stride1D.Dense>>? stack) && stack.TryPop(out MemoryBuffer1D<byte, Stride1D.Dense>? buffer))
            {
                return new GpuMemory(device, this, buffer);
            }
        }

        long room = device.Report.MemoryBytes;
        if (AllocatedBytes + size > room)
        {
            Trim();
            if (AllocatedBytes + size > room)
            {
                throw OutOfMemory(size, null);
            }
        }

        try
        {
            return Allocate(size);
        }
        catch (AcceleratorException)
        {
            Trim();
        }

        try
        {
            return Allocate(size);
        }
        catch (AcceleratorException failure)
        {
            throw OutOfMemory(size, failure);
        }
    }

    public void Return(MemoryBuffer1D<byte, Stride1D.Dense> buffer)
    {
        lock (guard)
        {
            long size = buffer.LengthInBytes;
            if (!free.TryGetValue(size, out Stack<MemoryBuffer1D<byte, Stride1D.Dense>>? stack))
            {
                free[size] = stack = new Stack<MemoryBuffer1D<byte, Stride1D.Dense>>();
            }

            stack.Push(buffer);
        }
    }

    public void Discard(MemoryBuffer1D<byte, Stride1D.Dense> buffer)
    {
        lock (device.Gate)
        {
            device.Synchronize();
            lock (guard)
            {
                GiveBack(buffer);
            }
        }
    }

    private GpuMemory Allocate(long size)
    {
        lock (device.Gate)
        {
            MemoryBuffer1D<byte, Stride1D.Dense> buffer = device.Bound().Allocate1D<byte>(size);
            Interlocked.Add(ref allocated, size);
            lock (guard)
            {
                all.Add(buffer);
            }

            return new GpuMemory(device, this, buffer);
        }
    }

    // Everything that nobody uses goes back to the driver.
    private void Trim()
    {
        lock (device.Gate)
        {
            device.Synchronize();
            lock (guard)
            {
                foreach (Stack<MemoryBuffer1D<byte, Stride1D.Dense>> stack in free.Values)
                {
                    while (stack.TryPop(out MemoryBuffer1D<byte, Stride1D.Dense>? buffer))
                    {
                        GiveBack(buffer);
                    }
                }
            }
        }
    }

    private void GiveBack(MemoryBuffer1D<byte, Stride1D.Dense> buffer)
    {
        Interlocked.Add(ref allocated, -buffer.LengthInBytes);
        all.Remove(buffer);
        buffer.Dispose();
    }

    private DeviceException OutOfMemory(long size, Exception? failure)
    {
        long used = AllocatedBytes;
        string message =
            $"The device {device.Report.Name} has no room for {Mebibytes(size)}: of its {Mebibytes(device.Report.MemoryBytes)} this process holds {Mebibytes(used)}, " +
            $"so at most {Mebibytes(Math.Max(0, device.Report.MemoryBytes - used))} are free. Use smaller batches, weights in a smaller format, or --device {DeviceKinds.Cpu}.";
        return failure is null ? new DeviceException(message) : new DeviceException(message, failure);
    }

    private static string Mebibytes(long bytes) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{bytes / 1048576.0:0.0} MiB");

    // At least 256 bytes, and a quarter of a power of two apart, as on the host: a buffer of a tape has such a size already.
    private static long SizeClass(long bytes)
    {
        if (bytes <= 256)
        {
            return 256;
        }

        long quarter = Math.Max(64, 1L << (System.Numerics.BitOperations.Log2((ulong)(bytes - 1)) - 2));
        return (bytes + quarter - 1) / quarter * quarter;
    }
}
