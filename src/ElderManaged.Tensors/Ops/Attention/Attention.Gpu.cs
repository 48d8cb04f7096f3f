using System.Buffers;
using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>
/// Attention on a GPU. Forward and dq: a group of threads for each block of query rows and each head, which goes over the positions
/// in blocks; dk and dv: a group for each block of own positions and each key/value head, which goes over the heads that share it and
/// over their rows. So every number has one writer and one order of summation, without atomics.
/// </summary>
internal static class AttentionGpu
{
    /// <summary>The widest head that the kernels take.</summary>
    public const int MaxWidth = 256;

    private const int GroupSize = AttentionGpuKernels.GroupSize;
    private const int TaskSize = AttentionGpuKernels.TaskSize;

    public static void Forward(GpuDevice gpu, in AttentionState state)
    {
        AttentionArguments arguments = Arguments(gpu, state);
        arguments.Out = gpu.Write(state.Y);
        if (state.Statistics is { } statistics)
        {
            arguments.Statistics = gpu.Write(statistics);
        }

        EachPast(gpu, state, AttentionGpuKernels.Forward, arguments);
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
            EachPast(gpu, state, AttentionGpuKernels.Queries, queries);
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
            int tasks = Tasks(gpu, state, null, all: true, ref keys);
            AttentionGpuKernels.KeysAndValues.Launch(gpu, new Index3D(tasks, state.KvHeads, 1), new Index3D(GroupSize, 1, 1), keys);
        }
    }

    private static AttentionArguments Arguments(GpuDevice gpu, in AttentionState state)
    {
        if (state.Width > MaxWidth)
        {
            throw new DeviceException($"Attention: heads of width {state.Width} are wider than the {MaxWidth} that the kernels for {gpu.Report.Name} take. Use --device {DeviceKinds.Cpu}.");
        }

        AttentionArguments arguments = new()
        {
            Q = gpu.Read(state.Q),
            K = gpu.Read(state.K),
            V = gpu.Read(state.V),
            Width = state.Width,
            Heads = state.Heads,
            KvHeads = state.KvHeads,
            LaneBits = state.Width > AttentionGpuKernels.NarrowWidth ? 5 : 4,
            Scale = state.Scale,
            Keep = state.Statistics is null ? 0 : 1,
        };

        // Views that a launch does not use must be valid all the same.
        arguments.PastK = arguments.PastV = arguments.Out = arguments.SecondOut = arguments.Statistics = arguments.Dy = arguments.Means = arguments.Q;
        return arguments;
    }

    // One launch for all sequences without past, and one for each that has: its past is memory of its own.
    private static void EachPast(GpuDevice gpu, in AttentionState state, GpuKernel<AttentionArguments> kernel, AttentionArguments arguments)
    {
        int tasks = Tasks(gpu, state, null, all: false, ref arguments);
        kernel.Launch(gpu, new Index3D(tasks, state.Heads, 1), new Index3D(GroupSize, 1, 1), arguments);
        for (int s = 0; s < state.Layout.Count; s++)
        {
            if (state.Layout.Past[s] > 0 && state.Layout.Lengths[s] > 0)
            {
                KeyValueSegment past = state.Past![s]!;
                KeyValueRows rows = past.On(gpu);
                arguments.PastK = rows.Keys;
                arguments.PastV = rows.Values;
                tasks = Tasks(gpu, state, s, all: false, ref arguments);
                kernel.Launch(gpu, new Index3D(tasks, state.Heads, 1), new Index3D(GroupSize, 1, 1), arguments);
                GC.KeepAlive(past);
            }
        }
    }

    // A task is a block of rows: where its sequence starts, how long that is, its past, and the block's first row in it.
    // Later blocks see more, and come first.
    private static int Tasks(GpuDevice gpu, in AttentionState state, int? only, bool all, ref AttentionArguments arguments)
    {
        SequenceLayout layout = state.Layout;
        int block = GroupSize >> arguments.LaneBits;
        int room = 0;
        foreach (int length in layout.Lengths)
        {
            room += (length + block - 1) / block;
        }

        int[] tasks = ArrayPool<int>.Shared.Rent(Math.Max(1, TaskSize * room));
        int count = 0;
        for (int s = 0; s < layout.Count; s++)
        {
            if (only is { } wanted ? s != wanted : !all && layout.Past[s] > 0)
            {
                continue;
            }

            for (int first = (layout.Lengths[s] - 1) / block * block; first >= 0 && layout.Lengths[s] > 0; first -= block)
            {
                tasks[TaskSize * count] = layout.Starts[s];
                tasks[(TaskSize * count) + 1] = layout.Lengths[s];
                tasks[(TaskSize * count) + 2] = layout.Past[s];
                tasks[(TaskSize * count) + 3] = first;
                count++;
            }
        }

        if (count > 0)
        {
            arguments.Tasks = gpu.Indices(tasks.AsSpan(0, TaskSize * count));
        }

        ArrayPool<int>.Shared.Return(tasks);
        return count;
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
    public int LaneBits;
    public int Rows;
    public int Keep;
    public int WantsFirst;
    public int WantsSecond;
    public int AddFirst;
    public int AddSecond;
    public float Scale;
}
