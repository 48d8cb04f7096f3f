using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors.Tests.Backends.Cpu;

public sealed class SimdMathTests
{
    [Theory]
    [InlineData("exp", 1.1)]
    [InlineData("log", 1)]
    [InlineData("sigmoid", 2.5)]
    public void Within_so_many_units_in_the_last_place(string name, double tolerance)
    {
        double worst = 0;
        float at = 0;
        // Every 997th float there is: all magnitudes, subnormals too, both signs.
        for (uint bits = 0; bits < uint.MaxValue - 997; bits += 997)
        {
            float x = BitConverter.UInt32BitsToSingle(bits);
            if (float.IsNaN(x) || (name == "log" && x < 0))
            {
                continue;
            }

            double exact = Exact(name, x);
            float got = Ours(name, x);
            if (float.IsInfinity((float)exact) || float.IsInfinity(got))
            {
                Assert.Equal((float)exact, got);
                continue;
            }

            float rounded = Math.Abs((float)exact);
            double unit = rounded >= float.MaxValue ? rounded - MathF.BitDecrement(rounded) : MathF.BitIncrement(rounded) - rounded;
            double error = Math.Abs(got - exact) / unit;
            if (error > worst)
            {
                worst = error;
                at = x;
            }
        }

        Assert.True(worst <= tolerance, $"{name}: {worst:F3} units in the last place off at {at:R}.");
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(17.3f)]
    [InlineData(-1234.5f)]
    [InlineData(500_000f)]
    public void Scaled_exponentials_are_within_so_much_and_never_subnormal(float largest)
    {
        ExpScale scale = ExpScale.For(largest);
        for (float down = 0; down < 130; down += 0.0371f)
        {
            float x = largest - down;
            float found = SimdMath.ScaledExp<Lanes1, float>(x, scale.Least, scale.Start, out float power) * power;
            double exact = Math.Pow(2, (x * (double)SimdMath.OneOverLn2) - scale.S);
            Assert.False(float.IsSubnormal(found));
            Assert.Equal(exact, found, (1.7e-7 * exact) + 3e-38);
            Vector512<float> wide = SimdMath.ScaledExp<Lanes512, Vector512<float>>(Vector512.Create(x), Vector512.Create(scale.Least), Vector512.Create(scale.Start), out Vector512<float> powers) * powers;
            Assert.Equal(found, wide[5]);
        }

        Assert.Equal(0f, SimdMath.ScaledExp<Lanes1, float>(float.NegativeInfinity, scale.Least, scale.Start, out float none) * none);
        Assert.Equal(float.NaN, SimdMath.ScaledExp<Lanes1, float>(float.NaN, scale.Least, scale.Start, out none) * none);
    }

    [Fact]
    public void Lifted_powers_of_two_are_within_so_much_and_never_subnormal()
    {
        const float lifted = 1.37f * (1L << 50);
        for (float y = 76; y > -180; y -= 0.0371f)
        {
            float found = SimdMath.LiftedPowerOfTwo(Vector512.Create(y))[5];
            double exact = Math.Pow(2, Math.Max(y, -176));
            Assert.False(float.IsSubnormal(found));
            Assert.Equal(exact, found * SimdMath.LiftDown, 1.5e-7 * exact);

            // What stands for the instruction where there is none: its bits.
            float least = Math.Max(y, -176);
            Assert.Equal(MathF.ScaleB(lifted, (int)MathF.Floor(least)), SimdMath.ScaledByFloor(Vector512.Create(lifted), Vector512.Create(least))[2]);
        }

        Assert.Equal(float.NaN, SimdMath.LiftedPowerOfTwo(Vector512.Create(float.NaN))[0]);
    }

    [Fact]
    public void Gate_is_the_sigmoid()
    {
        for (float x = 86; x > -86; x -= 0.00371f)
        {
            double exact = Exact("sigmoid", x);
            float found = SimdMath.Gate<Lanes1, float>(x);
            Assert.Equal(exact, found, 3.5e-7 * exact);
            Assert.Equal(found, SimdMath.Gate<Lanes512, Vector512<float>>(Vector512.Create(x))[3]);
        }

        Assert.Equal(1f, SimdMath.Gate<Lanes1, float>(86f));
        Assert.Equal(float.NaN, SimdMath.Gate<Lanes1, float>(float.NaN));
    }

    [Fact]
    public void Special_values()
    {
        foreach (string name in new[] { "exp", "log", "sigmoid" })
        {
            Assert.Equal(float.NaN, Ours(name, float.NaN));
        }

        Assert.Equal(float.PositiveInfinity, Ours("exp", float.PositiveInfinity));
        Assert.Equal(0f, Ours("exp", float.NegativeInfinity));
        Assert.Equal(1f, Ours("exp", 0f));
        Assert.Equal(float.PositiveInfinity, Ours("log", float.PositiveInfinity));
        Assert.Equal(float.NegativeInfinity, Ours("log", 0f));
        Assert.Equal(float.NegativeInfinity, Ours("log", -0f));
        Assert.Equal(float.NaN, Ours("log", -1f));
        Assert.Equal(float.NaN, Ours("log", float.NegativeInfinity));
        Assert.Equal(0f, Ours("log", 1f));
        Assert.Equal(1f, Ours("sigmoid", float.PositiveInfinity));
        Assert.Equal(0f, Ours("sigmoid", float.NegativeInfinity));
    }

    private static double Exact(string name, double x) => name switch
    {
        "exp" => Math.Exp(x),
        "log" => Math.Log(x),
        _ => x >= 0 ? 1 / (1 + Math.Exp(-x)) : Math.Exp(x) / (1 + Math.Exp(x)),
    };

    private static float Ours(string name, float x) => name switch
    {
        "exp" => SimdMath.Exp<Lanes1, float>(x),
        "log" => SimdMath.Log<Lanes1, float>(x),
        _ => SimdMath.Sigmoid<Lanes1, float>(x),
    };
}
