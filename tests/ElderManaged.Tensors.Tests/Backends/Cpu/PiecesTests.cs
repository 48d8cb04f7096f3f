using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors.Tests.Backends.Cpu;

public sealed unsafe class PiecesTests
{
    [Fact]
    public void A_smooth_function_is_as_near_as_a_float_can_be()
    {
        float* coefficients = Pieces.Allocate(1);
        try
        {
            Pieces.Fill(coefficients, a => Math.Exp(-a * a) * Math.Cos(a));
            for (float a = 0; a < 7; a += 0.00093f)
            {
                float found = Pieces.At<Lanes1, float>(coefficients, a);
                Assert.Equal(a < Pieces.End ? Math.Exp(-(double)a * a) * Math.Cos(a) : 0, found, 8e-7);
                Assert.Equal(found, Pieces.At<Lanes512, Vector512<float>>(coefficients, Vector512.Create(a))[9]);
                Assert.Equal(found, Pieces.At<Lanes256, Vector256<float>>(coefficients, Vector256.Create(a))[7]);
                Assert.Equal(found, Pieces.At<Lanes128, Vector128<float>>(coefficients, Vector128.Create(a))[2]);
            }

            Assert.Equal(1f, Pieces.At<Lanes1, float>(coefficients, 0));
            Assert.Equal(0f, Pieces.At<Lanes1, float>(coefficients, float.PositiveInfinity));
            Assert.Equal(float.NaN, Pieces.At<Lanes1, float>(coefficients, float.NaN));
        }
        finally
        {
            NativeMemory.AlignedFree(coefficients);
        }
    }

    [Fact]
    public void Each_lane_picks_its_own()
    {
        float[] sixteen = [.. Enumerable.Range(0, 16).Select(i => i * 1.5f)];
        Vector512<float> numbers = Vector512.Create(15, 0, 7, 8, 3, 12, 1, 14, 2, 2, 9, 10, 4, 5, 6, 11).AsSingle() | Vector512.Create(1f);
        fixed (float* table = sixteen)
        {
            Vector512<float> wide = Lanes512.Pick(table, numbers);
            for (int lane = 0; lane < 16; lane++)
            {
                float expected = sixteen[numbers.AsInt32()[lane] & 15];
                Assert.Equal(expected, wide[lane]);
                Assert.Equal(expected, Lanes1.Pick(table, numbers[lane]));
                Assert.Equal(expected, Lanes256.Pick(table, lane < 8 ? numbers.GetLower() : numbers.GetUpper())[lane % 8]);
                Vector256<float> half = lane < 8 ? numbers.GetLower() : numbers.GetUpper();
                Assert.Equal(expected, Lanes128.Pick(table, lane % 8 < 4 ? half.GetLower() : half.GetUpper())[lane % 4]);
            }
        }
    }
}
