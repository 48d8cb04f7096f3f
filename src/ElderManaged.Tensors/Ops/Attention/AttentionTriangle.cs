using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ElderManaged.Tensors;

/// <summary>What the kernel of <see cref="AttentionTriangle"/> reads and writes.</summary>
internal unsafe struct TriangleWork
{
    /// <summary>A[i, p] of the first group at A + i·ARow + p·ACol; the next group's <see cref="AGroup"/> further.</summary>
    public float* A;
    public nint ARow, ACol, AGroup;

    /// <summary>B[p, j] at B + p·BRow + j, columns from 32 on at BPlane + j - 32; the next group's <see cref="BGroup"/> further.</summary>
    public float* B;
    public nint BRow, BPlane, BGroup;

    /// <summary>C[i, j] at C + i·CRow + j.</summary>
    public float* C;
    public nint CRow;

    /// <summary>How deep the first group is, and how much deeper each next one.</summary>
    public nint Depth, DepthGroup;

    /// <summary>How many groups of rows there are.</summary>
    public int Groups;

    /// <summary>Adds to C instead of setting it.</summary>
    public bool Accumulate;

    /// <summary>What is fetched meanwhile, for each group: 64 columns at each step.</summary>
    public AheadRun* Ahead;
}

/// <summary>
/// Products of a triangle with 64 columns, for the widest registers: four rows at a time, each group as deep as its rows need, with the bits of <see cref="GemmTile"/>.
/// </summary>
/// <remarks>
/// <code>
///    A  ▙         ┌────────┐      Near the diagonal a tile of 12 rows goes as deep as its last one: half of so small a triangle is multiplied
///       ██▙    ·  │ B      │      in vain, by zero. Four rows by four registers keep both multipliers as busy, with less waste,
///       ████▙     └────────┘      and one loop over all groups has no calls between them. The triangle may grow or shrink, row by row.
/// </code>
/// </remarks>
internal static unsafe class AttentionTriangle
{
    /// <summary>Rows of a group.</summary>
    public const int Rows = 4;

    /// <summary>Columns of a group: four registers.</summary>
    public const int Columns = 64;

    /// <summary>All groups, one after the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Run(TriangleWork* w)
    {
        nint aRow = w->ARow;
        nint aRow2 = 2 * aRow;
        nint aRow3 = 3 * aRow;
        nint plane = w->BPlane;
        nint aStep = w->ACol * sizeof(float);
        nint bStep = w->BRow * sizeof(float);
        nint depth = w->Depth;
        float* c = w->C;
        AheadRun* run = w->Ahead;
        float* firstA = w->A;
        float* firstB = w->B;
        for (int groups = w->Groups; groups > 0; groups--)
        {
            Vector512<float> s0 = default, t0 = default, u0 = default, v0 = default;
            Vector512<float> s1 = default, t1 = default, u1 = default, v1 = default;
            Vector512<float> s2 = default, t2 = default, u2 = default, v2 = default;
            Vector512<float> s3 = default, t3 = default, u3 = default, v3 = default;
            if (w->Accumulate)
            {
                float* from = c;
                nint cRow = w->CRow;
                s0 = Vector512.Load(from); t0 = Vector512.Load(from + 16); u0 = Vector512.Load(from + 32); v0 = Vector512.Load(from + 48);
                from += cRow; s1 = Vector512.Load(from); t1 = Vector512.Load(from + 16); u1 = Vector512.Load(from + 32); v1 = Vector512.Load(from + 48);
                from += cRow; s2 = Vector512.Load(from); t2 = Vector512.Load(from + 16); u2 = Vector512.Load(from + 32); v2 = Vector512.Load(from + 48);
                from += cRow; s3 = Vector512.Load(from); t3 = Vector512.Load(from + 16); u3 = Vector512.Load(from + 32); v3 = Vector512.Load(from + 48);
            }

            float* a = firstA;
            float* b = firstB;
            float* end = b + (depth * w->BRow);
            float* ahead = run->First;
            float* lastAhead = run->Last;
            nint aheadStep = run->Step;
            run++;
            do
            {
                Vector512<float> b0 = Vector512.Load(b), b1 = Vector512.Load(b + 16), b2 = Vector512.Load(b + plane), b3 = Vector512.Load(b + plane + 16);
                b = (float*)((byte*)b + bStep);
                Prefetch.Near(ahead);
                Prefetch.Near(ahead + 16);
                Prefetch.Near(ahead + 32);
                Prefetch.Near(ahead + 48);
                ahead = ahead == lastAhead ? ahead : ahead + aheadStep;
                { Vector512<float> x = Vector512.Create(*a); s0 = Vector512.FusedMultiplyAdd(x, b0, s0); t0 = Vector512.FusedMultiplyAdd(x, b1, t0); u0 = Vector512.FusedMultiplyAdd(x, b2, u0); v0 = Vector512.FusedMultiplyAdd(x, b3, v0); }
                { Vector512<float> x = Vector512.Create(a[aRow]); s1 = Vector512.FusedMultiplyAdd(x, b0, s1); t1 = Vector512.FusedMultiplyAdd(x, b1, t1); u1 = Vector512.FusedMultiplyAdd(x, b2, u1); v1 = Vector512.FusedMultiplyAdd(x, b3, v1); }
                { Vector512<float> x = Vector512.Create(a[aRow2]); s2 = Vector512.FusedMultiplyAdd(x, b0, s2); t2 = Vector512.FusedMultiplyAdd(x, b1, t2); u2 = Vector512.FusedMultiplyAdd(x, b2, u2); v2 = Vector512.FusedMultiplyAdd(x, b3, v2); }
                { Vector512<float> x = Vector512.Create(a[aRow3]); s3 = Vector512.FusedMultiplyAdd(x, b0, s3); t3 = Vector512.FusedMultiplyAdd(x, b1, t3); u3 = Vector512.FusedMultiplyAdd(x, b2, u3); v3 = Vector512.FusedMultiplyAdd(x, b3, v3); }
                a = (float*)((byte*)a + aStep);
            }
            while (b != end);

            nint step = w->CRow;
            s0.Store(c); t0.Store(c + 16); u0.Store(c + 32); v0.Store(c + 48); c += step;
            s1.Store(c); t1.Store(c + 16); u1.Store(c + 32); v1.Store(c + 48); c += step;
            s2.Store(c); t2.Store(c + 16); u2.Store(c + 32); v2.Store(c + 48); c += step;
            s3.Store(c); t3.Store(c + 16); u3.Store(c + 32); v3.Store(c + 48); c += step;
            firstA += w->AGroup;
            firstB += w->BGroup;
            depth += w->DepthGroup;
        }
    }
}
