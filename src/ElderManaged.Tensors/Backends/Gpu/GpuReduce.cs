using ILGPU;

namespace ElderManaged.Tensors;

/// <summary>What the threads of one group find together, through shared memory. All threads of the group must call.</summary>
/// <remarks>
/// <code>
///   threads   0 1 2 3 … 255
///             └─┬─ + 128 ─┘      Halves are added to each other eight times: always in the same order, on every device.
///             └ + 64 ┘ …
/// </code>
/// </remarks>
internal static class GpuReduce
{
    public const int GroupSize = GpuElementwise.GroupSize;

    /// <summary>The sum of one number of each thread, for all threads.</summary>
    public static float Sum(float value, ArrayView<float> shared)
    {
        int thread = Group.IdxX;
        Group.Barrier(); // who still reads an earlier result does so before
        shared[thread] = value;
        Group.Barrier();
        for (int half = GroupSize / 2; half > 0; half >>= 1)
        {
            if (thread < half)
            {
                shared[thread] += shared[thread + half];
            }

            Group.Barrier();
        }

        return shared[0];
    }

    /// <summary>The largest number of all threads; not a number if one is not.</summary>
    public static float Max(float value, ArrayView<float> shared)
    {
        int thread = Group.IdxX;
        Group.Barrier();
        shared[thread] = value;
        Group.Barrier();
        for (int half = GroupSize / 2; half > 0; half >>= 1)
        {
            if (thread < half)
            {
                float other = shared[thread + half];
                shared[thread] = shared[thread] >= other ? shared[thread] : other;
            }

            Group.Barrier();
        }

        return shared[0];
    }
}
