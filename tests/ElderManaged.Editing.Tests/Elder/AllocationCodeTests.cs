using ElderManaged.Editing.Elder;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Editing.Tests.Elder;

public sealed class AllocationCodeTests
{
    private static readonly Gen<(int Layers, int Count, int Active, ulong Seed)> Shapes =
        from layers in Gen.Choose(1, 8)
        from count in Gen.Choose(1, 40)
        from active in Gen.Choose(1, count)
        from seed in Gen.Choose(0, int.MaxValue - 1)
        select (layers, count, active, (ulong)seed);

    [Fact]
    public void DistanceIsTheNumberOfDifferentBits() => Prop.ForAll(Shapes.ToArbitrary(), s =>
    {
        Allocation a = new UniqueAllocator(s.Layers, s.Count, s.Active, s.Seed).Allocate("a");
        Allocation b = new UniqueAllocator(s.Layers, s.Count, s.Active, s.Seed + 1).Allocate("b");
        int naive = 0;
        for (int l = 0; l < s.Layers; l++)
        {
            for (int j = 0; j < s.Count; j++)
            {
                bool inA = a.Layer(l).Contains(j), inB = b.Layer(l).Contains(j);
                Assert.Equal(inA, a.Code[(l * s.Count) + j]);
                naive += inA != inB ? 1 : 0;
            }
        }

        Assert.Equal(naive, a.Code.Distance(b.Code));
        Assert.Equal(naive, b.Code.Distance(a.Code));
        Assert.Equal(naive == 0, a.Equals(b));
        Assert.Equal(0, a.Code.Distance(new AllocationCode(a.Code.Length, a.Code.Words)));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void TheBookFindsTheNearestAndTheEarliestOfEquals()
    {
        UniqueAllocator allocator = new(3, 30, 2, seed: 4); // 90 bits, two words
        (string Fact, AllocationCode Code)[] all = [.. Enumerable.Range(0, 50).Select(i => ($"f{i}", allocator.Allocate($"f{i}").Code))];
        CodeBook book = new CodeBook(90).With(all[..20]).With(all[20..]);
        AllocationCode query = allocator.Allocate("query").Code;
        int least = all.Min(a => a.Code.Distance(query));
        Assert.Equal((least, Array.FindIndex(all, a => a.Code.Distance(query) == least)), book.Nearest(query));
        Assert.Equal((0, 31), book.Nearest(all[31].Code));
        CodeBook without = book.Without("f31");
        Assert.Equal(49, without.Count);
        Assert.NotEqual(0, without.Nearest(all[31].Code).Distance);
        Assert.Equal(50, book.Count);
        Assert.Equal((int.MaxValue, -1), new CodeBook(90).Nearest(query));
    }

    [Fact]
    public void UnequalLengthsAreRefused() =>
        Assert.Contains("8 and 6 bits", Assert.Throws<ArgumentException>(() => new AllocationCode(8, [1]).Distance(new AllocationCode(6, [1]))).Message, StringComparison.Ordinal);
}
