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

    [Fact]
    public void Exp_below_one_has_the_bits_of_exp_but_no_subnormal_results()
    {
        for (float x = 0; x > -130; x -= 0.00371f)
        {
            float exact = SimdMath.Exp<Lanes1, float>(x);
            Assert.Equal(float.IsSubnormal(exact) ? 0 : exact, SimdMath.ExpBelowOne<Lanes1, float>(x));
        }

        foreach (float x in new[] { -87.33654f, -87.336548f, -87.33655f, -87.3365f, float.NegativeInfinity, -1e30f, float.NaN })
        {
            float exact = SimdMath.Exp<Lanes1, float>(x);
            Assert.Equal(float.IsSubnormal(exact) ? 0 : exact, SimdMath.ExpBelowOne<Lanes1, float>(x));
            Assert.Equal(SimdMath.ExpBelowOne<Lanes1, float>(x), SimdMath.ExpBelowOne<Lanes512, Vector512<float>>(Vector512.Create(x))[5]);
        }
    }

    [Fact]
    public void Gate_has_the_bits_of_sigmoid_but_no_subnormal_results()
    {
        for (float x = 130; x > -130; x -= 0.00371f)
        {
            float exact = SimdMath.Sigmoid<Lanes1, float>(x);
            Assert.Equal(float.IsSubnormal(exact) ? 0 : exact, SimdMath.Gate<Lanes1, float>(x));
        }

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
