using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>What the kernel of <see cref="AttentionStrips"/> reads and writes.</summary>
internal unsafe struct StripWork
{
    /// <summary>A[i, p] at A + i·ARow + p.</summary>
    public float* A;
    public nint ARow;

    /// <summary>B[p, j] at B + p·BRow + j.</summary>
    public float* B;
    public nint BRow;

    /// <summary>C[i, j] at C + i·CRow + j.</summary>
    public float* C;
    public nint CRow;

    /// <summary>How deep the product is: even.</summary>
    public nint Depth;

    /// <summary>Adds to C instead of setting it.</summary>
    public bool Accumulate;

    /// <summary>How many strips of rows there are.</summary>
    public int Strips;

    /// <summary>Where the largest of each column of C is kept, if it is wanted: 32 numbers, so far those of other strips.</summary>
    public float* Largest;

    /// <summary>What is fetched meanwhile, for each strip: 32 columns at each two steps.</summary>
    public AheadRun* Ahead;
}

/// <summary>
/// Products of many rows with one panel of 32 columns, for the widest registers: one strip of 12 rows after the other, each a tile as in
/// <see cref="GemmTile"/>, with the same bits.
/// </summary>
/// <remarks>
/// <code>
///                  B, in the first-level cache
///                    ┌────┐        The tiles of attention are short, 64 or 128 steps. With a call for each of them, 40 of 800 cycles go by
///   A   strip 0 ━━━▶ │ C  │        before the multipliers have work again. Inside of one loop the processor begins the next strip
///       strip 1 ━━━▶ │    │        while it finishes the one before. Two steps at a time leave fewer instructions beside the
///          …         └────┘        multiply-adds: where another thread runs on the same core, those are scarce.
/// </code>
/// </remarks>
internal static unsafe class AttentionStrips
{
    /// <summary>Rows of a strip: 24 sums, 2 registers of B and one of A.</summary>
    public const int Rows = 12;

    /// <summary>Steps at a time.</summary>
    public const int Steps = 2;

    // a3, a6, a9: with these every row of A is one of a base plus 0, 1 or 2 strides, which is what an address can express.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Run(StripWork* w)
    {
        nint aRow = w->ARow;
        nint aRow2 = 2 * aRow;
        nint bRow = w->BRow;
        float* strip = w->A;
        float* c = w->C;
        AheadRun* run = w->Ahead;
        for (int strips = w->Strips; strips > 0; strips--)
        {
            Vector512<float> l0 = default, r0 = default;
            Vector512<float> l1 = default, r1 = default;
            Vector512<float> l2 = default, r2 = default;
            Vector512<float> l3 = default, r3 = default;
            Vector512<float> l4 = default, r4 = default;
            Vector512<float> l5 = default, r5 = default;
            Vector512<float> l6 = default, r6 = default;
            Vector512<float> l7 = default, r7 = default;
            Vector512<float> l8 = default, r8 = default;
            Vector512<float> l9 = default, r9 = default;
            Vector512<float> l10 = default, r10 = default;
            Vector512<float> l11 = default, r11 = default;
            if (w->Accumulate)
            {
                float* from = c;
                nint cRow = w->CRow;
                l0 = Vector512.Load(from); r0 = Vector512.Load(from + 16);
                from += cRow; l1 = Vector512.Load(from); r1 = Vector512.Load(from + 16);
                from += cRow; l2 = Vector512.Load(from); r2 = Vector512.Load(from + 16);
                from += cRow; l3 = Vector512.Load(from); r3 = Vector512.Load(from + 16);
                from += cRow; l4 = Vector512.Load(from); r4 = Vector512.Load(from + 16);
                from += cRow; l5 = Vector512.Load(from); r5 = Vector512.Load(from + 16);
                from += cRow; l6 = Vector512.Load(from); r6 = Vector512.Load(from + 16);
                from += cRow; l7 = Vector512.Load(from); r7 = Vector512.Load(from + 16);
                from += cRow; l8 = Vector512.Load(from); r8 = Vector512.Load(from + 16);
                from += cRow; l9 = Vector512.Load(from); r9 = Vector512.Load(from + 16);
                from += cRow; l10 = Vector512.Load(from); r10 = Vector512.Load(from + 16);
                from += cRow; l11 = Vector512.Load(from); r11 = Vector512.Load(from + 16);
            }

            float* a = strip;
            float* a3 = a + (3 * aRow);
            float* a6 = a + (6 * aRow);
            float* a9 = a + (9 * aRow);
            float* b = w->B;
            float* end = b + (w->Depth * bRow);
            float* ahead = run->First;
            float* lastAhead = run->Last;
            nint aheadStep = run->Step;
            run++;
            do
            {
                Vector512<float> left = Vector512.Load(b), right = Vector512.Load(b + 16);
                Prefetch.Near(ahead);
                { Vector512<float> x = Vector512.Create(*a); l0 = Vector512.FusedMultiplyAdd(x, left, l0); r0 = Vector512.FusedMultiplyAdd(x, right, r0); }
                { Vector512<float> x = Vector512.Create(a[aRow]); l1 = Vector512.FusedMultiplyAdd(x, left, l1); r1 = Vector512.FusedMultiplyAdd(x, right, r1); }
                { Vector512<float> x = Vector512.Create(a[aRow2]); l2 = Vector512.FusedMultiplyAdd(x, left, l2); r2 = Vector512.FusedMultiplyAdd(x, right, r2); }
                { Vector512<float> x = Vector512.Create(*a3); l3 = Vector512.FusedMultiplyAdd(x, left, l3); r3 = Vector512.FusedMultiplyAdd(x, right, r3); }
                { Vector512<float> x = Vector512.Create(a3[aRow]); l4 = Vector512.FusedMultiplyAdd(x, left, l4); r4 = Vector512.FusedMultiplyAdd(x, right, r4); }
                { Vector512<float> x = Vector512.Create(a3[aRow2]); l5 = Vector512.FusedMultiplyAdd(x, left, l5); r5 = Vector512.FusedMultiplyAdd(x, right, r5); }
                { Vector512<float> x = Vector512.Create(*a6); l6 = Vector512.FusedMultiplyAdd(x, left, l6); r6 = Vector512.FusedMultiplyAdd(x, right, r6); }
                { Vector512<float> x = Vector512.Create(a6[aRow]); l7 = Vector512.FusedMultiplyAdd(x, left, l7); r7 = Vector512.FusedMultiplyAdd(x, right, r7); }
                { Vector512<float> x = Vector512.Create(a6[aRow2]); l8 = Vector512.FusedMultiplyAdd(x, left, l8); r8 = Vector512.FusedMultiplyAdd(x, right, r8); }
                { Vector512<float> x = Vector512.Create(*a9); l9 = Vector512.FusedMultiplyAdd(x, left, l9); r9 = Vector512.FusedMultiplyAdd(x, right, r9); }
                { Vector512<float> x = Vector512.Create(a9[aRow]); l10 = Vector512.FusedMultiplyAdd(x, left, l10); r10 = Vector512.FusedMultiplyAdd(x, right, r10); }
                { Vector512<float> x = Vector512.Create(a9[aRow2]); l11 = Vector512.FusedMultiplyAdd(x, left, l11); r11 = Vector512.FusedMultiplyAdd(x, right, r11); }

                left = Vector512.Load(b + bRow); right = Vector512.Load(b + bRow + 16);
                Prefetch.Near(ahead + 16);
                { Vector512<float> x = Vector512.Create(a[1]); l0 = Vector512.FusedMultiplyAdd(x, left, l0); r0 = Vector512.FusedMultiplyAdd(x, right, r0); }
                { Vector512<float> x = Vector512.Create(*(a + aRow + 1)); l1 = Vector512.FusedMultiplyAdd(x, left, l1); r1 = Vector512.FusedMultiplyAdd(x, right, r1); }
                { Vector512<float> x = Vector512.Create(*(a + aRow2 + 1)); l2 = Vector512.FusedMultiplyAdd(x, left, l2); r2 = Vector512.FusedMultiplyAdd(x, right, r2); }
                { Vector512<float> x = Vector512.Create(a3[1]); l3 = Vector512.FusedMultiplyAdd(x, left, l3); r3 = Vector512.FusedMultiplyAdd(x, right, r3); }
                { Vector512<float> x = Vector512.Create(*(a3 + aRow + 1)); l4 = Vector512.FusedMultiplyAdd(x, left, l4); r4 = Vector512.FusedMultiplyAdd(x, right, r4); }
                { Vector512<float> x = Vector512.Create(*(a3 + aRow2 + 1)); l5 = Vector512.FusedMultiplyAdd(x, left, l5); r5 = Vector512.FusedMultiplyAdd(x, right, r5); }
                { Vector512<float> x = Vector512.Create(a6[1]); l6 = Vector512.FusedMultiplyAdd(x, left, l6); r6 = Vector512.FusedMultiplyAdd(x, right, r6); }
                { Vector512<float> x = Vector512.Create(*(a6 + aRow + 1)); l7 = Vector512.FusedMultiplyAdd(x, left, l7); r7 = Vector512.FusedMultiplyAdd(x, right, r7); }
                { Vector512<float> x = Vector512.Create(*(a6 + aRow2 + 1)); l8 = Vector512.FusedMultiplyAdd(x, left, l8); r8 = Vector512.FusedMultiplyAdd(x, right, r8); }
                { Vector512<float> x = Vector512.Create(a9[1]); l9 = Vector512.FusedMultiplyAdd(x, left, l9); r9 = Vector512.FusedMultiplyAdd(x, right, r9); }
                { Vector512<float> x = Vector512.Create(*(a9 + aRow + 1)); l10 = Vector512.FusedMultiplyAdd(x, left, l10); r10 = Vector512.FusedMultiplyAdd(x, right, r10); }
                { Vector512<float> x = Vector512.Create(*(a9 + aRow2 + 1)); l11 = Vector512.FusedMultiplyAdd(x, left, l11); r11 = Vector512.FusedMultiplyAdd(x, right, r11); }
                a += Steps;
                a3 += Steps;
                a6 += Steps;
                a9 += Steps;
                b += 2 * bRow;
                ahead = ahead == lastAhead ? ahead : ahead + aheadStep;
            }
            while (b != end);

            nint step = w->CRow;
            l0.Store(c); r0.Store(c + 16); c += step;
            l1.Store(c); r1.Store(c + 16); c += step;
            l2.Store(c); r2.Store(c + 16); c += step;
            l3.Store(c); r3.Store(c + 16); c += step;
            l4.Store(c); r4.Store(c + 16); c += step;
            l5.Store(c); r5.Store(c + 16); c += step;
            l6.Store(c); r6.Store(c + 16); c += step;
            l7.Store(c); r7.Store(c + 16); c += step;
            l8.Store(c); r8.Store(c + 16); c += step;
            l9.Store(c); r9.Store(c + 16); c += step;
            l10.Store(c); r10.Store(c + 16); c += step;
            l11.Store(c); r11.Store(c + 16); c += step;
            float* largest = w->Largest;
            if (largest != null)
            {
                Most(Most(Most(l0, l1, l2), Most(l3, l4, l5), Most(l6, l7, l8)), Most(l9, l10, l11), Vector512.Load(largest)).Store(largest);
                Most(Most(Most(r0, r1, r2), Most(r3, r4, r5), Most(r6, r7, r8)), Most(r9, r10, r11), Vector512.Load(largest + 16)).Store(largest + 16);
            }

            strip += Rows * aRow;
        }
    }

    // The largest of three. Where one is not a number, whichever: what is made of it will not be a number either.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Most(Vector512<float> a, Vector512<float> b, Vector512<float> c) => Lanes512.Max(Lanes512.Max(a, b), c);
}
