using ILGPU;
using ILGPU.Algorithms;

namespace ElderManaged.Tensors;

/// <content>Backward: blocks as in forward, softmax weights made again from each row's largest score and inverse sum.</content>
internal static partial class AttentionGpuKernels
{
    /// <summary>dy·y of each row and head; y is given as K.</summary>
    internal static void RowMeans(AttentionArguments a)
    {
        int i = Grid.GlobalIndex.X;
        if (i < a.Rows)
        {
            long at = (long)i * a.Width;
            float sum = 0;
            for (int c = 0; c < a.Width; c++)
            {
                sum = GpuMath.Fma(a.Dy[at + c], a.K[at + c], sum);
            }

            a.Out[i] = sum;
        }
    }

    /// <summary>dq = ds·k/√D, ds = w (dy·v − dy·y), w made again from the statistics.</summary>
    internal static void QuerySlopes(AttentionArguments a)
    {
        ArrayView<float> queries = SharedMemory.Allocate<float>(TileRoom);
        ArrayView<float> gradients = SharedMemory.Allocate<float>(TileRoom);
        ArrayView<float> keys = SharedMemory.Allocate<float>(TileRoom);
        ArrayView<float> values = SharedMemory.Allocate<float>(TileRoom);
        ArrayView<float> slopes = SharedMemory.Allocate<float>(MaxRows * ScoreStride);
        int lanes = 1 << a.LaneBits;
        int rows = GroupSize >> a.LaneBits;
        int stride = (8 * lanes) + 1;
        int r = Group.IdxX >> a.LaneBits;
        int lane = Group.IdxX & (lanes - 1);
        int head = Grid.IdxY;
        int start = a.Tasks[TaskSize * Grid.IdxX];
        int length = a.Tasks[(TaskSize * Grid.IdxX) + 1];
        int first = a.Tasks[(TaskSize * Grid.IdxX) + 3];
        int past = a.Tasks[(TaskSize * Grid.IdxX) + 2];
        int kvHead = head / (a.Heads / a.KvHeads);
        int row = first + r;
        int lastSeen = row < length ? past + row : -1;
        long rowAndHead = (long)(start + row) * a.Heads + head;
        long query = rowAndHead * a.Width;
        for (int c = lane; c < a.Width; c += lanes)
        {
            queries[(r * stride) + c] = row < length ? a.Q[query + c] : 0;
            gradients[(r * stride) + c] = row < length ? a.Dy[query + c] : 0;
        }

        float largest = 0, factor = 0, mean = 0;
        if (row < length)
        {
            largest = a.Statistics[2 * rowAndHead];
            factor = a.Statistics[(2 * rowAndHead) + 1];
            mean = a.Means[rowAndHead];
        }

        float d0 = 0, d1 = 0, d2 = 0, d3 = 0, d4 = 0, d5 = 0, d6 = 0, d7 = 0;
        int end = past + XMath.Min(first + rows, length);
        for (int block = 0; block < end; block += rows)
        {
            int position = block + r;
            if (position < past)
            {
                long key = ((long)position * a.KvHeads + kvHead) * a.Width;
                for (int c = lane; c < a.Width; c += lanes)
                {
                    keys[(r * stride) + c] = a.PastK[key + c];
                    values[(r * stride) + c] = a.PastV[key + c];
                }
            }
            else
            {
                long key = ((long)(start + position - past) * a.KvHeads + kvHead) * a.Width;
                for (int c = lane; c < a.Width; c += lanes)
                {
                    keys[(r * stride) + c] = position < end ? a.K[key + c] : 0;
                    values[(r * stride) + c] = position < end ? a.V[key + c] : 0;
                }
            }

            Group.Barrier();
            if (lane < rows)
            {
                float score = 0, dw = 0;
                for (int c = 0; c < a.Width; c++)
                {
                    score = GpuMath.Fma(queries[(r * stride) + c], keys[(lane * stride) + c], score);
                    dw = GpuMath.Fma(gradients[(r * stride) + c], values[(lane * stride) + c], dw);
                }

                slopes[(r * ScoreStride) + lane] = XMath.Exp((score * a.Scale) - largest) * factor * (dw - mean) * a.Scale;
            }

            Group.Barrier();
            int seen = XMath.Min(rows, lastSeen - block + 1);
            for (int j = 0; j < seen; j++)
            {
                float slope = slopes[(r * ScoreStride) + j];
                int at = (j * stride) + lane;
                d0 = GpuMath.Fma(slope, keys[at], d0);
                d1 = GpuMath.Fma(slope, keys[at + lanes], d1);
                d2 = GpuMath.Fma(slope, keys[at + (2 * lanes)], d2);
                d3 = GpuMath.Fma(slope, keys[at + (3 * lanes)], d3);
                if (a.Width > 4 * lanes)
                {
                    d4 = GpuMath.Fma(slope, keys[at + (4 * lanes)], d4);
                    d5 = GpuMath.Fma(slope, keys[at + (5 * lanes)], d5);
                    d6 = GpuMath.Fma(slope, keys[at + (6 * lanes)], d6);
                    d7 = GpuMath.Fma(slope, keys[at + (7 * lanes)], d7);
                }
            }

            Group.Barrier();
        }

        if (row < length)
        {
            if (lane < a.Width)
            {
                a.Out[query + lane] = a.AddFirst != 0 ? a.Out[query + lane] + d0 : d0;
            }

            if (lane + lanes < a.Width)
            {
                a.Out[query + lane + lanes] = a.AddFirst != 0 ? a.Out[query + lane + lanes] + d1 : d1;
            }

            if (lane + (2 * lanes) < a.Width)
            {
                a.Out[query + lane + (2 * lanes)] = a.AddFirst != 0 ? a.Out[query + lane + (2 * lanes)] + d2 : d2;
            }

            if (lane + (3 * lanes) < a.Width)
            {
                a.Out[query + lane + (3 * lanes)] = a.AddFirst != 0 ? a.Out[query + lane + (3 * lanes)] + d3 : d3;
            }

            if (lane + (4 * lanes) < a.Width)
            {
                a.Out[query + lane + (4 * lanes)] = a.AddFirst != 0 ? a.Out[query + lane + (4 * lanes)] + d4 : d4;
            }

            if (lane + (5 * lanes) < a.Width)
            {
                a.Out[query + lane + (5 * lanes)] = a.AddFirst != 0 ? a.Out[query + lane + (5 * lanes)] + d5 : d5;
            }

            if (lane + (6 * lanes) < a.Width)
            {
                a.Out[query + lane + (6 * lanes)] = a.AddFirst != 0 ? a.Out[query + lane + (6 * lanes)] + d6 : d6;
            }

            if (lane + (7 * lanes) < a.Width)
            {
                a.Out[query + lane + (7 * lanes)] = a.AddFirst != 0 ? a.Out[query + lane + (7 * lanes)] + d7 : d7;
            }
        }
    }

    /// <summary>dv = wᵀ·dy, dk = dsᵀ·q/√D for a block of own positions, over the heads that share it and the rows that see it, in order.</summary>
    internal static void KeySlopes(AttentionArguments a)
    {
        ArrayView<float> queries = SharedMemory.Allocate<float>(TileRoom);
        ArrayView<float> gradients = SharedMemory.Allocate<float>(TileRoom);
        ArrayView<float> keys = SharedMemory.Allocate<float>(TileRoom);
        ArrayView<float> values = SharedMemory.Allocate<float>(TileRoom);
        ArrayView<float> weights = SharedMemory.Allocate<float>(MaxRows * ScoreStride);
        ArrayView<float> slopes = SharedMemory.Allocate<float>(MaxRows * ScoreStride);
        int lanes = 1 << a.LaneBits;
        int rows = GroupSize >> a.LaneBits;
        int stride = (8 * lanes) + 1;
        int r = Group.IdxX >> a.LaneBits;
        int lane = Group.IdxX & (lanes - 1);
        int head = Grid.IdxY;
        int start = a.Tasks[TaskSize * Grid.IdxX];
        int length = a.Tasks[(TaskSize * Grid.IdxX) + 1];
        int first = a.Tasks[(TaskSize * Grid.IdxX) + 3];
        int group = a.Heads / a.KvHeads;
        int own = first + r;
        long key = ((long)(start + own) * a.KvHeads + head) * a.Width;
        for (int c = lane; c < a.Width; c += lanes)
        {
            keys[(r * stride) + c] = own < length ? a.K[key + c] : 0;
            values[(r * stride) + c] = own < length ? a.V[key + c] : 0;
        }

        float k0 = 0, k1 = 0, k2 = 0, k3 = 0, k4 = 0, k5 = 0, k6 = 0, k7 = 0;
        float v0 = 0, v1 = 0, v2 = 0, v3 = 0, v4 = 0, v5 = 0, v6 = 0, v7 = 0;
        for (int h = head * group; h < (head + 1) * group; h++)
        {
            for (int block = first; block < length; block += rows)
            {
                long query = ((long)(start + block + r) * a.Heads + h) * a.Width;
                for (int c = lane; c < a.Width; c += lanes)
                {
                    queries[(r * stride) + c] = block + r < length ? a.Q[query + c] : 0;
                    gradients[(r * stride) + c] = block + r < length ? a.Dy[query + c] : 0;
                }

                Group.Barrier();
                if (lane < rows && block + lane < length)
                {
                    // thread (r, lane): position r, row number lane of the block
                    float score = 0, dw = 0;
                    for (int c = 0; c < a.Width; c++)
                    {
                        score = GpuMath.Fma(keys[(r * stride) + c], queries[(lane * stride) + c], score);
                        dw = GpuMath.Fma(values[(r * stride) + c], gradients[(lane * stride) + c], dw);
                    }

                    long rowAndHead = (long)(start + block + lane) * a.Heads + h;
                    float weight = XMath.Exp((score * a.Scale) - a.Statistics[2 * rowAndHead]) * a.Statistics[(2 * rowAndHead) + 1];
                    weights[(r * ScoreStride) + lane] = weight;
                    slopes[(r * ScoreStride) + lane] = weight * (dw - a.Means[rowAndHead]) * a.Scale;
                }

                Group.Barrier();
                int last = XMath.Min(rows, length - block);
                for (int j = XMath.Max(0, own - block); j < last; j++)
                {
                    float weight = weights[(r * ScoreStride) + j];
                    float slope = slopes[(r * ScoreStride) + j];
                    int at = (j * stride) + lane;
                    v0 = GpuMath.Fma(weight, gradients[at], v0);
                    k0 = GpuMath.Fma(slope, queries[at], k0);
                    v1 = GpuMath.Fma(weight, gradients[at + lanes], v1);
                    k1 = GpuMath.Fma(slope, queries[at + lanes], k1);
                    v2 = GpuMath.Fma(weight, gradients[at + (2 * lanes)], v2);
                    k2 = GpuMath.Fma(slope, queries[at + (2 * lanes)], k2);
                    v3 = GpuMath.Fma(weight, gradients[at + (3 * lanes)], v3);
                    k3 = GpuMath.Fma(slope, queries[at + (3 * lanes)], k3);
                    if (a.Width > 4 * lanes)
                    {
                        v4 = GpuMath.Fma(weight, gradients[at + (4 * lanes)], v4);
                        k4 = GpuMath.Fma(slope, queries[at + (4 * lanes)], k4);
                        v5 = GpuMath.Fma(weight, gradients[at + (5 * lanes)], v5);
                        k5 = GpuMath.Fma(slope, queries[at + (5 * lanes)], k5);
                        v6 = GpuMath.Fma(weight, gradients[at + (6 * lanes)], v6);
                        k6 = GpuMath.Fma(slope, queries[at + (6 * lanes)], k6);
                        v7 = GpuMath.Fma(weight, gradients[at + (7 * lanes)], v7);
                        k7 = GpuMath.Fma(slope, queries[at + (7 * lanes)], k7);
                    }
                }

                Group.Barrier();
            }
        }

        if (own < length)
        {
            if (a.WantsFirst != 0)
            {
                if (lane < a.Width)
                {
                    a.Out[key + lane] = a.AddFirst != 0 ? a.Out[key + lane] + k0 : k0;
                }

                if (lane + lanes < a.Width)
                {
                    a.Out[key + lane + lanes] = a.AddFirst != 0 ? a.Out[key + lane + lanes] + k1 : k1;
                }

                if (lane + (2 * lanes) < a.Width)
                {
                    a.Out[key + lane + (2 * lanes)] = a.AddFirst != 0 ? a.Out[key + lane + (2 * lanes)] + k2 : k2;
                }

                if (lane + (3 * lanes) < a.Width)
                {
                    a.Out[key + lane + (3 * lanes)] = a.AddFirst != 0 ? a.Out[key + lane + (3 * lanes)] + k3 : k3;
                }

                if (lane + (4 * lanes) < a.Width)
                {
                    a.Out[key + lane + (4 * lanes)] = a.AddFirst != 0 ? a.Out[key + lane + (4 * lanes)] + k4 : k4;
                }

                if (lane + (5 * lanes) < a.Width)
                {
                    a.Out[key + lane + (5 * lanes)] = a.AddFirst != 0 ? a.Out[key + lane + (5 * lanes)] + k5 : k5;
                }

                if (lane + (6 * lanes) < a.Width)
                {
                    a.Out[key + lane + (6 * lanes)] = a.AddFirst != 0 ? a.Out[key + lane + (6 * lanes)] + k6 : k6;
                }

                if (lane + (7 * lanes) < a.Width)
                {
                    a.Out[key + lane + (7 * lanes)] = a.AddFirst != 0 ? a.Out[key + lane + (7 * lanes)] + k7 : k7;
                }
            }

            if (a.WantsSecond != 0)
            {
                if (lane < a.Width)
                {
                    a.SecondOut[key + lane] = a.AddSecond != 0 ? a.SecondOut[key + lane] + v0 : v0;
                }

                if (lane + lanes < a.Width)
                {
                    a.SecondOut[key + lane + lanes] = a.AddSecond != 0 ? a.SecondOut[key + lane + lanes] + v1 : v1;
                }

                if (lane + (2 * lanes) < a.Width)
                {
                    a.SecondOut[key + lane + (2 * lanes)] = a.AddSecond != 0 ? a.SecondOut[key + lane + (2 * lanes)] + v2 : v2;
                }

                if (lane + (3 * lanes) < a.Width)
                {
                    a.SecondOut[key + lane + (3 * lanes)] = a.AddSecond != 0 ? a.SecondOut[key + lane + (3 * lanes)] + v3 : v3;
                }

                if (lane + (4 * lanes) < a.Width)
                {
                    a.SecondOut[key + lane + (4 * lanes)] = a.AddSecond != 0 ? a.SecondOut[key + lane + (4 * lanes)] + v4 : v4;
                }

                if (lane + (5 * lanes) < a.Width)
                {
                    a.SecondOut[key + lane + (5 * lanes)] = a.AddSecond != 0 ? a.SecondOut[key + lane + (5 * lanes)] + v5 : v5;
                }

                if (lane + (6 * lanes) < a.Width)
                {
                    a.SecondOut[key + lane + (6 * lanes)] = a.AddSecond != 0 ? a.SecondOut[key + lane + (6 * lanes)] + v6 : v6;
                }

                if (lane + (7 * lanes) < a.Width)
                {
                    a.SecondOut[key + lane + (7 * lanes)] = a.AddSecond != 0 ? a.SecondOut[key + lane + (7 * lanes)] + v7 : v7;
                }
            }
        }
    }
}
