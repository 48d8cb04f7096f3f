using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>The largest elements of rows, found on a GPU: a group a row, one round for each element wanted.</summary>
/// <remarks>
/// A round finds the first element, in the order of <see cref="TopK.Select"/>, of those behind the last one found: k readings of the
/// row, from the second-level cache after the first, and nothing is marked or moved. One comparison or two for 4 bytes.
/// </remarks>
internal static class TopKGpu
{
    private const int GroupSize = GpuReduce.GroupSize;

    private static readonly GpuKernel<TopKArguments> Rounds = new(SelectRow);

    /// <summary>Whether every index is a float: they come back as floats.</summary>
    public static bool Takes(Tensor x) => x.Columns is > 0 and <= 1 << 24;

    /// <summary>Writes R·k indices; returns how many rows contain what is not a number.</summary>
    public static int Select(GpuDevice gpu, Tensor x, int k, Span<int> indices)
    {
        Tensor found = Tape.NewTensor(new Shape(x.Rows, k + 1));
        Rounds.Launch(gpu, x.Rows, GroupSize, new TopKArguments { X = gpu.Read(x), Found = gpu.Write(found), Columns = x.Columns, K = k });
        ReadOnlySpan<float> numbers = found.ReadOnlySpan;
        int strange = 0;
        for (int row = 0; row < x.Rows; row++)
        {
            for (int i = 0; i < k; i++)
            {
                indices[(row * k) + i] = (int)numbers[(row * (k + 1)) + i];
            }

            strange += numbers[(row * (k + 1)) + k] > 0 ? 1 : 0;
        }

        return strange;
    }

    internal static void SelectRow(TopKArguments a)
    {
        ArrayView<float> values = SharedMemory.Allocate<float>(GroupSize);
        ArrayView<int> places = SharedMemory.Allocate<int>(GroupSize);
        int thread = Group.IdxX;
        long start = (long)Grid.IdxX * a.Columns;
        long to = (long)Grid.IdxX * (a.K + 1);
        float strange = 0;
        for (int i = thread; i < a.Columns; i += GroupSize)
        {
            strange = IsNumber(a.X[start + i]) ? strange : 1;
        }

        strange = GpuReduce.Sum(strange, values);
        float last = 0;
        int lastPlace = -1;
        for (int round = 0; round < a.K; round++)
        {
            float best = 0;
            int place = -1;
            for (int i = thread; i < a.Columns; i += GroupSize)
            {
                float value = a.X[start + i];
                if ((lastPlace < 0 || IsBefore(last, lastPlace, value, i)) && (place < 0 || IsBefore(value, i, best, place)))
                {
                    best = value;
                    place = i;
                }
            }

            Group.Barrier();
            values[thread] = best;
            places[thread] = place;
            Group.Barrier();
            for (int half = GroupSize / 2; half > 0; half >>= 1)
            {
                if (thread < half)
                {
                    int other = places[thread + half];
                    if (other >= 0 && (places[thread] < 0 || IsBefore(values[thread + half], other, values[thread], places[thread])))
                    {
                        values[thread] = values[thread + half];
                        places[thread] = other;
                    }
                }

                Group.Barrier();
            }

            last = values[0];
            lastPlace = places[0];
            if (thread == 0)
            {
                a.Found[to + round] = lastPlace;
            }
        }

        if (thread == 0)
        {
            a.Found[to + a.K] = strange;
        }
    }

    // The larger first; of equal ones that with the lower index; what is not a number last.
    private static bool IsBefore(float a, int placeA, float b, int placeB)
    {
        bool numberA = IsNumber(a);
        bool numberB = IsNumber(b);
        if (numberA != numberB)
        {
            return numberA;
        }

        return a > b || (!(a < b) && placeA < placeB);
    }

    // By its bits: a compiler may take a number for equal to itself.
    private static bool IsNumber(float value) => (Interop.FloatAsInt(value) & 0x7fffffffu) <= 0x7f800000u;
}

/// <summary>Of <see cref="TopKGpu"/>.</summary>
internal struct TopKArguments
{
    public ArrayView<float> X;
    public ArrayView<float> Found;
    public int Columns;
    public int K;
}
