using System.Buffers;
using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>
/// Attention on a GPU. Forward and dq: a group of threads for each block of query rows and each head, which goes over the positions
/// in blocks; dk and dv: a group for each block of own positions and each key/value head, which goes over the heads that share it and
/// over their rows. A few rows after a long past have a kernel of their own. So every number has one writer and one order of summation, without atomics.
/// </summary>
internal static class AttentionGpu
{
    private const int GroupSize = AttentionGpuKernels.GroupSize;

    public static void Forward(GpuDevice gpu, in AttentionState state)
    {
        AttentionArguments arguments = Arguments(gpu, state);
        arguments.Out = gpu.Write(state.Y);
        if (state.Statistics is { } statistics)
        {
            arguments.Statistics = gpu.Write(statistics);
        }

        bool few = state.Layout.Lengths.IndexOfAnyExceptInRange(0, AttentionGpuKernels.FewRows) < 0;
        if (few)
        {
            Launch(gpu, state, AttentionGpuKernels.ForwardFewRows, state.Heads, arguments, rows: 1, columns: GroupSize);
        }
        else
        {
            Launch(gpu, state, AttentionGpuKernels.Forward, state.Heads, arguments);
        }
    }

    public static void Backward(GpuDevice gpu, in AttentionState state)
    {
        AttentionArguments arguments = Arguments(gpu, state);
        arguments.Statistics = gpu.Read(state.Statistics!);
        arguments.Dy = gpu.Read(state.Dy!);

        // Σ w dw of each row and head is dy·y.
        Tensor means = Tape.NewTensor(new Shape(state.Q.Rows, state.Heads));
        AttentionArguments first = arguments;
        first.K = gpu.Read(state.Y);
        first.Out = gpu.Write(means);
        first.Rows = means.Length;
        AttentionGpuKernels.Means.Launch(gpu, GpuElementwise.Groups(means.Length), GroupSize, first);
        arguments.Means = gpu.Read(means);
        if (state.Dq is { } dq)
        {
            AttentionArguments queries = arguments;
            queries.AddFirst = (state.Fresh & AttentionInputs.Queries) != 0 ? 0 : 1;
            queries.Out = gpu.Sink(dq, queries.AddFirst == 0);
            Launch(gpu, state, AttentionGpuKernels.Queries, state.Heads, queries);
        }

        if (state.Dk is not null || state.Dv is not null)
        {
            AttentionArguments keys = arguments;
            keys.WantsFirst = state.Dk is null ? 0 : 1;
            keys.WantsSecond = state.Dv is null ? 0 : 1;
            keys.AddFirst = (state.Fresh & AttentionInputs.Keys) != 0 ? 0 : 1;
            keys.AddSecond = (state.Fresh & AttentionInputs.Values) != 0 ? 0 : 1;
            keys.Out = gpu.Sink(state.Dk ?? state.Dv!, (state.Dk is null ? keys.AddSecond : keys.AddFirst) == 0);
            keys.SecondOut = state.Dv is { } dv ? gpu.Sink(dv, keys.AddSecond == 0) : keys.Out;
            Launch(gpu, state, AttentionGpuKernels.KeysAndValues, state.KvHeads, keys);
        }
    }

    private static AttentionArguments Arguments(GpuDevice gpu, in AttentionState state)
    {
        AttentionArguments arguments = new()
        {
            Q = gpu.Read(state.Q),
            K = gpu.Read(state.K),
            V = gpu.Read(state.V),
            Width = state.Width,
            Heads = state.Heads,
            KvHeads = state.KvHeads,
            Scale = state.Scale,
            Keep = state.Statistics is null ? 0 : 1,
        };

        // Views that a launch does not use must be valid all the same.
        arguments.PastK = arguments.PastV = arguments.Out = arguments.SecondOut = arguments.Statistics = arguments.Dy = arguments.Means = arguments.Q;
        return arguments;
    }

    // A group for each block of rows, head and part of the columns, of all sequences. Later blocks see more, and come first.
    private static void Launch(
        GpuDevice gpu, in AttentionState state, GpuKernel<AttentionArguments> kernel, int heads, AttentionArguments arguments,
        int rows = AttentionGpuKernels.Tile, int columns = AttentionGpuKernels.Part)
    {
        SequenceLayout layout = state.Layout;
        int tasks = 0, room = 0;
        for (int s = 0; s < layout.Count; s++)
        {
            tasks += (layout.Lengths[s] + rows - 1) / rows;
            room += layout.Lengths[s] > 0 && layout.Past[s] > 0 ? state.Past![s]!.On(gpu).Pages.Length : 0;
        }

        int[] numbers = ArrayPool<int>.Shared.Rent(Math.Max(1, (AttentionTask.Size * tasks) + room));
        int task = 0, page = AttentionTask.Size * tasks;
        for (int s = 0; s < layout.Count; s++)
        {
            for (int first = (layout.Lengths[s] - 1) / rows * rows; first >= 0 && layout.Lengths[s] > 0; first -= rows)
            {
                ReadOnlySpan<int> words = [layout.Starts[s], layout.Lengths[s], layout.Past[s], first, page];
                words.CopyTo(numbers.AsSpan(AttentionTask.Size * task++));
            }

            if (layout.Lengths[s] > 0 && layout.Past[s] > 0)
            {
                ReadOnlySpan<int> pages = state.Past![s]!.On(gpu).Pages;
                pages.CopyTo(numbers.AsSpan(page));
                page += pages.Length;
            }
        }

        arguments.Aligned = state.Width % 4 == 0 && arguments.AreAligned() ? 1 : 0;
        lock (gpu.Gate)
        {
            // Until the launch, nobody else may let the memory of all pages move.
            if (room > 0)
            {
                KeyValuePages past = gpu.KeysAndValues(state.K.Columns);
                (arguments.PastK, arguments.PastV) = (past.Keys, past.Values);
            }

            arguments.Tasks = gpu.Indices(numbers.AsSpan(0, Math.Max(1, page)));
            kernel.Launch(gpu, new Index3D(tasks, heads, (state.Width + columns - 1) / columns), new Index3D(GroupSize, 1, 1), arguments);
        }

        ArrayPool<int>.Shared.Return(numbers);
        GC.KeepAlive(state.Past);
    }
}

/// <summary>Of <see cref="AttentionGpuKernels"/>. Backward's first output is dq or dk, its second dv.</summary>
internal struct AttentionArguments
{
    public ArrayView<float> Q;
    public ArrayView<float> K;
    public ArrayView<float> V;
    public ArrayView<float> PastK;
    public ArrayView<float> PastV;
    public ArrayView<float> Out;
    public ArrayView<float> SecondOut;
    public ArrayView<float> Statistics;
    public ArrayView<float> Dy;
    public ArrayView<float> Means;
    public ArrayView<int> Tasks;
    public int Width;
    public int Heads;
    public int KvHeads;
    public int Rows;
    public int Aligned;
    public int Keep;
    public int WantsFirst;
    public int WantsSecond;
    public int AddFirst;
    public int AddSecond;
    public float Scale;

    /// <summary>Whether all rows begin at multiples of 16 bytes where their views do; the past's pages always do.</summary>
    public readonly bool AreAligned() => Aligns(Q) && Aligns(K) && Aligns(V) && Aligns(Out) && Aligns(SecondOut) && Aligns(Dy);

    private static bool Aligns<TView>(TView view)
        where TView : IContiguousArrayView => view.Index % 4 == 0;
}
