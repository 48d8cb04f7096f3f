namespace ElderManaged.Tensors.Tests.Ops.MatMul;

/// <summary>How few rows divide a weight: everything once, in blocks that fetch as much as they compute with.</summary>
public sealed class PanelStreamsTests
{
    [Fact]
    public void Parts_follow_each_other_and_differ_by_no_more_than_two_panels()
    {
        foreach (int threads in new[] { 1, 2, 3, 8 })
        {
            for (int panels = 1; panels < 300; panels++)
            {
                int parts = PanelStreams.Parts(panels, threads);
                int[] sizes = [.. Enumerable.Range(0, parts).Select(part => PanelStreams.FirstPanel(part + 1, parts, panels) - PanelStreams.FirstPanel(part, parts, panels))];
                Assert.Equal(0, PanelStreams.FirstPanel(0, parts, panels));
                Assert.Equal(panels, sizes.Sum());
                Assert.InRange(sizes.Max() - sizes.Min(), 0, 3); // two, and one where the last pair is not whole
                Assert.True(sizes.Min() > 0 && (threads == 1 || panels < 4 * threads || parts % threads == 0));
            }
        }
    }

    [Theory]
    [InlineData(50, 2176, 4, 25)] // Q8_0, 1600 inputs: two groups are 4.25 KB
    [InlineData(3, 2176, 4, 1)]   // rather three than two and one
    [InlineData(53, 1152, 4, 14)] // cannot be divided
    [InlineData(96, 128, 4, 3)]   // float32
    [InlineData(1, 2176, 1, 1)]
    [InlineData(7, 100_000, 4, 7)]
    public void Blocks_are_of_one_size_if_they_can_be(int units, int unitBytes, int panels, int blocks) =>
        Assert.Equal(blocks, PanelStreams.Blocks(units, unitBytes, panels));
}
