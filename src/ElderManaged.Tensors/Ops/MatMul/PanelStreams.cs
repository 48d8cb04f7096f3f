using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace ElderManaged.Tensors;

/// <summary>
/// How few rows walk the panels of a weight: block by block of four panels in turn, while the next blocks of all four are fetched.
/// </summary>
/// <remarks>
/// <code>
///              block 0    block 1    block 2             computing:  A0 B0 C0 D0  A1 B1 C1 D1 …
///   panel A   |  A0      |  A1      |  A2                fetching, during A0, B0, C0 and D0:
///   panel B   |  B0      |  B1      |  B2                   a quarter each of A1 B1 C1 D1, line by line in turn
///   panel C   |  C0      |  C1      |  C2
///   panel D   |  D0      |  D1      |  D2                of the last block: the first blocks of the next four panels
/// </code>
/// <para>
/// The memory of a single stream waits at every page: for the address of the next one, and until the processor's own prefetcher has
/// seen where the reading goes. Of four streams three arrive meanwhile: one core then reads about 1.3 times as much where each
/// line takes 5 to 13 cycles of arithmetic, and reading overlaps with computing almost wholly. A kernel still has one panel's sums in its registers.
/// </para>
/// </remarks>
internal unsafe struct PanelStreams
{
    /// <summary>The most panels that are walked together.</summary>
    public const int Most = 4;

    // Of all panels together. With the next blocks it has its place in the first-level cache.
    private const int BlockBytes = 16 * 1024;

    private const int Line = 64;

    /// <summary>Floats of a cache line.</summary>
    public const int InLine = Line / sizeof(float);

    private readonly nint _a;
    private readonly nint _b;
    private readonly nint _step;
    private byte* _at;

    /// <summary>What the first panel's share of a block fetches; <see cref="Of"/> says the others'.</summary>
    /// <param name="next">The first panel's next block.</param>
    /// <param name="panelBytes">From a panel to the next.</param>
    /// <param name="panels">How many are walked together, as <see cref="Together"/> says.</param>
    public PanelStreams(byte* next, nint panelBytes, int panels)
    {
        _at = next;
        (_a, _b, _step) = panels switch
        {
            Most => (panelBytes, 2 * panelBytes, Line),
            2 => (panelBytes, Line, 2 * Line),
            _ => ((nint)Line, 2 * Line, 4 * Line),
        };
    }

    /// <summary>The same for another panel's share of the block.</summary>
    /// <param name="panel">Which of those that are walked together.</param>
    /// <param name="blockBytes">Of the block that is computed with meanwhile.</param>
    public readonly PanelStreams Of(int panel, nint blockBytes)
    {
        // Four lines at a time reach a step further.
        PanelStreams other = this;
        other._at += panel * ((blockBytes + (4 * Line) - 1) / (4 * Line)) * _step;
        return other;
    }

    /// <summary>The first float at or after <paramref name="room"/> with which a cache line begins.</summary>
    public static float* FirstInLine(float* room) => (float*)(((nint)room + Line - 1) & ~(nint)(Line - 1));

    /// <summary>Into how many parts the panels are divided among threads: several for each, so that one that is held up does not hold up all.</summary>
    public static int Parts(int panels, int threads)
    {
        int fours = panels / Most;
        return threads == 1 ? 1 : Math.Min((panels + 1) / 2, threads * Math.Clamp(fours / (2 * threads), 1, 8));
    }

    /// <summary>Where a part begins, and the one before it ends: all have about as many panels, an even number.</summary>
    public static int FirstPanel(int part, int parts, int panels) => Math.Min(panels, (int)((long)part * ((panels + 1) / 2) / parts) * 2);

    /// <summary>How many of the panels that are left are walked together: 4, 2 or 1.</summary>
    public static int Together(int left) => left >= Most ? Most : left >= 2 ? 2 : 1;

    /// <summary>Into how many blocks a panel is divided: of the same size if it can be, since one fetches as much as it computes with.</summary>
    /// <param name="units">The pieces that cannot be divided further, such as groups with a scale of their own.</param>
    /// <param name="unitBytes">The bytes of one.</param>
    /// <param name="panels">How many panels are walked together.</param>
    public static int Blocks(int units, nint unitBytes, int panels)
    {
        int wanted = (int)Math.Max(1, ((BlockBytes / panels) + (unitBytes / 2)) / unitBytes);
        for (int off = 0; off <= wanted / 2; off++)
        {
            foreach (int inBlock in (ReadOnlySpan<int>)[wanted + off, wanted - off])
            {
                if (inBlock > 0 && units % inBlock == 0)
                {
                    return units / inBlock;
                }
            }
        }

        return (units + wanted - 1) / wanted;
    }

    /// <summary>Fetches four lines, one of each panel. Kernels call it for every four lines that they use.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Fetch()
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(_at);
            Sse.Prefetch0(_at + _a);
            Sse.Prefetch0(_at + _b);
            Sse.Prefetch0(_at + _a + _b);
            _at += _step;
        }
    }
}
