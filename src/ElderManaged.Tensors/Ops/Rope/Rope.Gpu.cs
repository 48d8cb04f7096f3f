using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>Rotary position embedding on a GPU: one thread for each pair of elements. Bound by memory: 6 operations for 16 bytes.</summary>
internal static class RopeGpu
{
    private const int GroupSize = GpuElementwise.GroupSize;

    public static readonly GpuKernel<RopeArguments> Pairs = new(TurnPairs);

    /// <summary>Forward: y = rotated x. Backward: y (+)= x rotated back, where x is dy and y is dx.</summary>
    public static void Run(GpuDevice gpu, Tensor x, Tensor y, ReadOnlySpan<int> positions, RopeState state, bool backward, bool add)
    {
        (DeviceMemory cos, DeviceMemory sin) = state.Table.On(gpu);
        int pairs = x.Length / 2;
        Pairs.Launch(gpu, GpuElementwise.Groups(pairs), GroupSize, new RopeArguments
        {
            X = gpu.Read(x),
            Y = gpu.Sink(y, !add),
            Cos = ((GpuMemory)cos).Floats,
            Sin = ((GpuMemory)sin).Floats,
            Positions = gpu.Indices(positions),
            Pairs = pairs,
            Columns = x.Columns,
            Half = state.HeadWidth / 2,
            Interleaved = state.Interleaved ? 1 : 0,
            Add = add ? 1 : 0,
            Sign = backward ? -1 : 1,
        });
    }

    internal static void TurnPairs(RopeArguments a)
    {
        int i = Grid.GlobalIndex.X;
        if (i >= a.Pairs)
        {
            return;
        }

        int pairsOfRow = a.Columns / 2;
        int row = i / pairsOfRow;
        int inRow = i - (row * pairsOfRow);
        int head = inRow / a.Half;
        int pair = inRow - (head * a.Half);
        int first = (row * a.Columns) + (head * 2 * a.Half) + (a.Interleaved != 0 ? 2 * pair : pair);
        int second = first + (a.Interleaved != 0 ? 1 : a.Half);
        int angle = (a.Positions[row] * a.Half) + pair;
        float cos = a.Cos[angle];
        float sin = a.Sign * a.Sin[angle];
        float x = a.X[first];
        float y = a.X[second];
        float turnedX = GpuMath.Fma(x, cos, -(y * sin));
        float turnedY = GpuMath.Fma(y, cos, x * sin);
        a.Y[first] = a.Add != 0 ? a.Y[first] + turnedX : turnedX;
        a.Y[second] = a.Add != 0 ? a.Y[second] + turnedY : turnedY;
    }
}

/// <summary>Of <see cref="RopeGpu"/>.</summary>
internal struct RopeArguments
{
    public ArrayView<float> X;
    public ArrayView<float> Y;
    public ArrayView<float> Cos;
    public ArrayView<float> Sin;
    public ArrayView<int> Positions;
    public int Pairs;
    public int Columns;
    public int Half;
    public int Interleaved;
    public int Add;
    public float Sign;
}
