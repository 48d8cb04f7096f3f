using static System.BitConverter;

namespace ElderManaged.Testing.Ptx;

/// <summary>
/// mma.sync.aligned.m16n8k16.row.col.f32.T.T.f32 by the definitions of the PTX ISA: which element of a matrix each register of each
/// thread holds. Products are exact and summed in double precision; hardware rounds its sums on the way, in a manner of its own.
/// </summary>
internal static class PtxTensorCore
{
    private const int Warp = 32, M = 16, N = 8, K = 16;

    /// <summary>The instruction as something the threads of a warp do together; d, a, b and c are vectors of 4, 4, 2 and 4 registers.</summary>
    public static Action<PtxThread[]> Decode(PtxProgram program, string opcode, string[] operands)
    {
        Func<uint, double> value = opcode switch
        {
            "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32" => bits => (double)UInt16BitsToHalf((ushort)bits),
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32" => bits => UInt32BitsToSingle(bits << 16),
            _ => throw new NotSupportedException($"The interpreter does not know: {opcode}"),
        };
        int[][] vectors = [.. operands.Select(program.Vector)];
        if (vectors is not [{ Length: 4 } d, { Length: 4 } a, { Length: 2 } b, { Length: 4 } c])
        {
            throw new NotSupportedException($"{opcode} takes vectors of 4, 4, 2 and 4 registers, not {string.Join(", ", operands)}.");
        }

        return lanes => MultiplyAdd(lanes, d, a, b, c, value);
    }

    /// <summary>bfloat16 is the upper half of a float32; rounded to nearest, ties to even.</summary>
    public static uint BFloatBits(float number)
    {
        uint bits = SingleToUInt32Bits(number);
        return float.IsNaN(number) ? 0x7FFF : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    }

    private static void MultiplyAdd(PtxThread[] lanes, int[] d, int[] a, int[] b, int[] c, Func<uint, double> value)
    {
        double[,] left = new double[M, K], right = new double[K, N], sums = new double[M, N];
        for (int lane = 0; lane < Warp; lane++)
        {
            int group = lane >> 2, inGroup = lane % 4;
            for (int i = 0; i < 8; i++)
            {
                int row = i is 0 or 1 or 4 or 5 ? group : group + 8;
                int column = (inGroup * 2) + (i & 1) + (i < 4 ? 0 : 8);
                left[row, column] = value(HalfOf(lanes[lane], a, i));
            }

            for (int i = 0; i < 4; i++)
            {
                right[(inGroup * 2) + (i & 1) + (i < 2 ? 0 : 8), group] = value(HalfOf(lanes[lane], b, i));
            }

            for (int i = 0; i < 4; i++)
            {
                sums[i < 2 ? group : group + 8, (inGroup * 2) + (i & 1)] = PtxInstructions.Float(lanes[lane].Registers[c[i]]);
            }
        }

        for (int row = 0; row < M; row++)
        {
            for (int column = 0; column < N; column++)
            {
                for (int k = 0; k < K; k++)
                {
                    sums[row, column] += left[row, k] * right[k, column];
                }
            }
        }

        for (int lane = 0; lane < Warp; lane++)
        {
            int group = lane >> 2, inGroup = lane % 4;
            for (int i = 0; i < 4; i++)
            {
                lanes[lane].Registers[d[i]] = PtxInstructions.Bits((float)sums[i < 2 ? group : group + 8, (inGroup * 2) + (i & 1)]);
            }
        }
    }

    // Element i of a fragment: two in a register, the first in its lower half.
    private static uint HalfOf(PtxThread lane, int[] registers, int i) => (uint)(lane.Registers[registers[i / 2]] >> (16 * (i % 2))) & 0xFFFF;
}
