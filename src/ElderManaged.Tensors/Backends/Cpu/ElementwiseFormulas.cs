namespace ElderManaged.Tensors;

/// <summary>A function of one number with its derivative, written once for every width. Implement it in an empty struct.</summary>
internal interface IUnaryFormula
{
    /// <summary>Called before a loop over elements: makes the tables that <see cref="Value"/> and <see cref="Slope"/> read, if there are any.</summary>
    static virtual void Prepare()
    {
    }

    /// <summary>y = f(x).</summary>
    static abstract Num<L, V> Value<L, V>(Num<L, V> x)
        where L : struct, ILanes<V>
        where V : struct;

    /// <summary>dy/dx.</summary>
    static abstract Num<L, V> Slope<L, V>(Num<L, V> x)
        where L : struct, ILanes<V>
        where V : struct;
}

/// <summary>A formula that GPUs compute too: of numbers and constants alone, no tables.</summary>
internal interface IUnaryGpuFormula : IUnaryFormula;

/// <summary>A function of two numbers with its derivatives.</summary>
internal interface IBinaryFormula
{
    /// <summary>y = f(a, b).</summary>
    static abstract Num<L, V> Value<L, V>(Num<L, V> a, Num<L, V> b)
        where L : struct, ILanes<V>
        where V : struct;

    /// <summary>dy/da.</summary>
    static abstract Num<L, V> SlopeA<L, V>(Num<L, V> a, Num<L, V> b)
        where L : struct, ILanes<V>
        where V : struct;

    /// <summary>dy/db.</summary>
    static abstract Num<L, V> SlopeB<L, V>(Num<L, V> a, Num<L, V> b)
        where L : struct, ILanes<V>
        where V : struct;

    /// <summary>Both derivatives, with the bits of <see cref="SlopeA"/> and <see cref="SlopeB"/>; what they share is done once.</summary>
    static abstract void Slopes<L, V>(Num<L, V> a, Num<L, V> b, out Num<L, V> slopeA, out Num<L, V> slopeB)
        where L : struct, ILanes<V>
        where V : struct;
}
