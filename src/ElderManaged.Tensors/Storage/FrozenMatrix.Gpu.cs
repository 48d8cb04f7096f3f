using ILGPU;

namespace ElderManaged.Tensors;

// The weight on GPUs: copied there at first use or before, and kept as long as this object is.
public sealed partial class FrozenMatrix
{
    private static readonly Lock Copying = new();

    // By the device's number. Null until the first, so that a program without GPUs makes nothing of these types.
    private FrozenCopy?[]? _copies;

    /// <summary>y = x·Wᵀ + b on a GPU.</summary>
    internal void MultiplyOn(GpuDevice gpu, Tensor x, Tensor y, Tensor? bias)
    {
        if (x.Rows > 0)
        {
            ProductLog.Note(this, x.Rows, transposed: false, bias is not null);
            GemmArguments a = new(x.Rows, OutFeatures, InFeatures, gpu.Read(x), false, default, true, gpu.Write(y), false);
            if (bias is not null)
            {
                (a.Bias, a.HasBias) = (gpu.Read(bias), 1);
            }

            Launch(gpu, a, turned: false);
        }
    }

    /// <summary>dx = dy·W on a GPU, plus dx unless <paramref name="fresh"/>.</summary>
    internal void MultiplyTransposedOn(GpuDevice gpu, Tensor dy, Tensor dx, bool fresh)
    {
        if (dx.Rows > 0)
        {
            ProductLog.Note(this, dx.Rows, transposed: true, !fresh);
            Launch(gpu, new GemmArguments(dx.Rows, InFeatures, OutFeatures, gpu.Read(dy), false, default, false, gpu.Sink(dx, fresh), !fresh), turned: true);
        }
    }

    /// <summary>rows[i] = W[ids[i]] on a GPU.</summary>
    internal void CopyRows(GpuDevice gpu, ReadOnlySpan<int> ids, Tensor rows)
    {
        FrozenCopy copy = On(gpu);
        FrozenGpu.Gather(gpu, copy, ids, rows);
        GC.KeepAlive(this);
    }

    private void Launch(GpuDevice gpu, GemmArguments a, bool turned)
    {
        FrozenCopy copy = On(gpu);
        a.Weight = copy.View;
        a.Weight.Turned = turned ? 1 : 0;
        if (TensorCoreGemm.Takes(gpu, a))
        {
            TensorCoreGemm.Multiply(gpu, a);
            GC.KeepAlive(this);
            return;
        }

        switch (copy.IsFloat ? 32 : a.Weight.Bits)
        {
            case 4:
                GemmGpu.Multiply<NibblePanelOperand>(gpu, a);
                break;
            case 8:
                GemmGpu.Multiply<BytePanelOperand>(gpu, a);
                break;
            case 16:
                GemmGpu.Multiply<HalfPanelOperand>(gpu, a);
                break;
            default:
                GemmGpu.Multiply<FloatPanelOperand>(gpu, a);
                break;
        }

        GC.KeepAlive(this);
    }

    /// <summary>
    /// Begins to copy the weight to a device, after those begun before and while this thread goes on. Who needs it there before it
    /// has arrived waits for it. Does nothing for the processor.
    /// </summary>
    /// <param name="device">The device.</param>
    public void BeginMove(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (GpuFeature.IsSupported && device is GpuDevice gpu)
        {
            gpu.Uploads.Begin(() => On(gpu));
        }
    }

    private FrozenCopy On(GpuDevice gpu)
    {
        FrozenCopy?[]? copies = Volatile.Read(ref _copies);
        return copies is not null && gpu.Number < copies.Length && copies[gpu.Number] is { } known ? known : Copy(gpu);
    }

    private FrozenCopy Copy(GpuDevice gpu)
    {
        lock (Copying)
        {
            FrozenCopy?[] copies = _copies ?? [];
            if (gpu.Number >= copies.Length)
            {
                Array.Resize(ref copies, gpu.Number + 1);
            }

            FrozenCopy copy = copies[gpu.Number] ??= _storage.CopyTo(gpu);
            Volatile.Write(ref _copies, copies);
            return copy;
        }
    }
}

/// <summary>A frozen weight's memory on one GPU.</summary>
internal sealed class FrozenCopy(GpuMemory memory, FrozenView view, bool isFloat)
{
    /// <summary>The memory goes back with this object.</summary>
    public GpuMemory Memory { get; } = memory;

    public FrozenView View { get; } = view;

    /// <summary>Whether these are float32 panels, not words.</summary>
    public bool IsFloat { get; } = isFloat;
}

/// <summary>Gathering rows of a frozen weight: a thread for each number, decoded on the way.</summary>
internal static class FrozenGpu
{
    private const int GroupSize = 128;

    /// <summary>rows[i] = W[ids[i]].</summary>
    public static void Gather(GpuDevice gpu, FrozenCopy copy, ReadOnlySpan<int> ids, Tensor rows)
    {
        GatherArguments a = new() { Weight = copy.View, Rows = gpu.Write(rows), Ids = gpu.Indices(ids) };
        GpuKernel<GatherArguments> kernel = copy.IsFloat ? Kernels<FloatPanelOperand>.Gather : Kernels<WordPanel>.Gather;
        kernel.Launch(gpu, new Index3D(ids.Length, (rows.Columns + GroupSize - 1) / GroupSize, 1), new Index3D(GroupSize, 1, 1), a);
    }

    internal static void GatherRows<TPanels>(GatherArguments a)
        where TPanels : struct, IFrozenRows
    {
        int input = (Grid.IdxY * GroupSize) + Group.IdxX;
        if (input < a.Weight.Inputs)
        {
            a.Rows[(Grid.IdxX * a.Weight.Inputs) + input] = TPanels.Value(a.Weight, a.Ids[Grid.IdxX], input);
        }
    }

    /// <summary>The kernel for one kind of panels.</summary>
    internal static class Kernels<TPanels>
        where TPanels : struct, IFrozenRows
    {
        public static readonly GpuKernel<GatherArguments> Gather = new(GatherRows<TPanels>);
    }
}

/// <summary>Of <see cref="FrozenGpu"/>.</summary>
internal struct GatherArguments
{
    public FrozenView Weight;
    public ArrayView<float> Rows;
    public ArrayView<int> Ids;
}
