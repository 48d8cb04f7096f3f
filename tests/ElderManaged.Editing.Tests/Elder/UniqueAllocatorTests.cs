using ElderManaged.Editing.Elder;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Editing.Tests.Elder;

public sealed class UniqueAllocatorTests
{
    private static readonly Gen<(int Layers, int Count, int Active, ulong Seed)> Shapes =
        from layers in Gen.Choose(1, 4)
        from count in Gen.Choose(1, 9)
        from active in Gen.Choose(1, count)
        from seed in Gen.Choose(0, int.MaxValue - 1)
        select (layers, count, active, (ulong)seed);

    [Fact]
    public void FactsAreKeptApartAndKeepTheirAllocation() => Prop.ForAll(Shapes.ToArbitrary(), s =>
    {
        UniqueAllocator allocator = new(s.Layers, s.Count, s.Active, s.Seed), twin = new(s.Layers, s.Count, s.Active, s.Seed);
        int facts = (int)Math.Min(60, (long)System.Numerics.BigInteger.Min(allocator.Capacity, 60));
        HashSet<string> seen = [];
        for (int f = 0; f < facts; f++)
        {
            Allocation a = allocator.Allocate($"f{f}");
            Assert.True(seen.Add(string.Join(' ', a.Loras.ToArray())), "two facts share an allocation");
            Assert.Equal(a, twin.Allocate($"f{f}"));
            for (int l = 0; l < s.Layers; l++)
            {
                Assert.Equal(s.Active, a.Layer(l).ToArray().Distinct().Count());
                Assert.All(a.Layer(l).ToArray(), j => Assert.InRange(j, 0, s.Count - 1));
            }

            Assert.Same(a, allocator.Allocate($"f{f}"));
            Assert.Same(allocator.Find("f0"), allocator.Allocate("f0"));
        }
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(1, 4, 2, 6)]
    [InlineData(2, 5, 3, 100)]
    [InlineData(3, 4, 2, 216)]
    [InlineData(2, 3, 3, 1)]
    public void EveryAllocationIsUsedAndThenTheErrorSaysSo(int layers, int count, int active, int capacity)
    {
        UniqueAllocator allocator = new(layers, count, active, seed: 3);
        Assert.Equal(capacity, allocator.Capacity);
        Assert.Equal(capacity, Enumerable.Range(0, capacity).Select(f => allocator.Allocate($"f{f}")).Distinct().Count());
        EditException error = Assert.Throws<EditException>(() => allocator.Allocate("one more"));
        Assert.Contains($"All {capacity} allocations of {active} of {count} LoRAs in {layers} layers are taken", error.Message, StringComparison.Ordinal);
        Assert.Contains("one more", error.Message, StringComparison.Ordinal);
        Assert.NotNull(allocator.Allocate("f0")); // a known fact needs no new place
    }

    [Fact]
    public void CapacityOfThePapersShape() => Assert.Equal(46656, new UniqueAllocator(6, 4, 2, 0).Capacity);

    [Fact]
    public void ACopyGoesItsOwnWay()
    {
        UniqueAllocator original = new(3, 8, 2, seed: 1);
        original.Allocate("a");
        UniqueAllocator copy = original.Copy();
        Allocation b = copy.Allocate("b");
        Assert.Null(original.Find("b"));
        Assert.Equal(b, original.Allocate("b"));
    }

    [Fact]
    public void AnAllocationOfAnotherFactCannotBeAssigned()
    {
        UniqueAllocator allocator = new(2, 4, 2, seed: 1);
        Allocation a = allocator.Allocate("a");
        Assert.Contains("belongs to another fact", Assert.Throws<ArgumentException>(() => allocator.Assign("b", a)).Message, StringComparison.Ordinal);
        allocator.Assign("a", a);
    }
}
