using ElderManaged.Testing.Ptx;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;

namespace ElderManaged.Tensors.Tests;

/// <summary>The interpreter of PTX that the other tests rest on: that it computes, and above all what it refuses.</summary>
public sealed class PtxInterpreterTests
{
    private const int Length = 40;

    // y[i] = 2·i for thread i of one group.
    private const string Doubles = """
        mov.b32 %r1, %tid.x;
        setp.ge.s32 %p1, %r1, 40;
        @%p1 bra END;
        cvt.rn.f32.s32 %f1, %r1;
        mul.f32 %f2, %f1, 0f40000000;
        mul.wide.u32 %rd2, %r1, 4;
        add.u64 %rd3, %rd1, %rd2;
        st.global.f32 [%rd3], %f2;
        END:
        """;

    [Fact]
    public void RunsEveryThread() => Assert.Equal(Enumerable.Range(0, Length).Select(i => 2f * i), Run(Doubles, threads: 64));

    // Thread i takes what thread 31 - i left; the barrier is what makes that right.
    [Fact]
    public void SharedMemoryPassesABarrier() =>
        Assert.Equal(Enumerable.Range(0, 32).Select(i => 31f - i), Run(Reverse.Replace("WAIT", "bar.sync 0;", StringComparison.Ordinal), threads: 32).Take(32));

    [Theory]
    [InlineData("sin.approx.f32 %f1, %f2;", "does not know: sin.approx.f32")]
    [InlineData("add.s32 %r1, %r2;", "does not know: add.s32")]
    [InlineData(".local .align 4 .b8 depot[4];", "no such declaration: .local")]
    [InlineData("bra NOWHERE;", "No label")]
    [InlineData("mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 {%f1}, {%r1}, {%r1}, {%f1};", "does not know: mma.sync.aligned.m8n8k4")]
    public void WhatItDoesNotKnowIsRefusedWithItsText(string line, string expected) =>
        Assert.Contains(expected, Assert.Throws<NotSupportedException>(() => Run(line, threads: 1)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("st.global.f32 [%rd1+160], %f1;", "at 160 of 160")]
    [InlineData("ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%rd1+148];", "at 148 of 160")]
    [InlineData("ld.global.v2.b32 {%r1, %r2}, [%rd1+4];", "not aligned")]
    [InlineData("mov.b64 %rd2, 0;\nld.global.f32 %f1, [%rd2];", "outside of all views")]
    [InlineData("mov.b64 %rd2, buffer;\nst.shared.f32 [%rd2+256], %f1;", "of shared memory, which goes")]
    [InlineData("mov.b64 %rd2, buffer;\nst.shared.v2.f32 [%rd2], {%f1, %f2};", "not aligned")]
    [InlineData("mov.b32 %r1, 0;\ndiv.s32 %r2, %r3, %r1;", "division by zero")]
    [InlineData("AGAIN:\nbra AGAIN;", "no end")]
    public void AFaultNamesThreadInstructionAndPlace(string body, string expected)
    {
        string message = Assert.Throws<PtxException>(() => Run(body, threads: 1)).Message;
        Assert.Contains("Thread 0 of group", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatNobodyWroteIsNotANumber() =>
        Assert.Equal(float.NaN, Run("mov.b64 %rd2, buffer;\nld.shared.f32 %f1, [%rd2];\nadd.f32 %f2, %f1, %f1;\nst.global.f32 [%rd1], %f2;", threads: 1)[0]);

    [Fact]
    public void WhatDependsOnTheOrderOfThreadsIsRefused()
    {
        const string Start = "mov.b32 %r1, %tid.x;\nsetp.eq.s32 %p1, %r1, 0;\nmov.b64 %rd2, buffer;\n";
        Assert.Contains("thread 15 read", Fault(Reverse.Replace("WAIT", "", StringComparison.Ordinal), threads: 32), StringComparison.Ordinal);
        Assert.Contains("thread 0 wrote", Fault($"{Start}st.shared.f32 [%rd2], %f1;", threads: 2), StringComparison.Ordinal);
        Assert.Contains("thread 0 wrote", Fault($"{Start}@%p1 st.shared.f32 [%rd2], %f1;\nld.shared.f32 %f2, [%rd2];", threads: 2), StringComparison.Ordinal);
        Assert.Contains("other threads read", Fault(
            $"{Start}@%p1 st.shared.f32 [%rd2], %f1;\nbar.sync 0;\nld.shared.f32 %f2, [%rd2];\nsetp.eq.s32 %p2, %r1, 2;\n@%p2 st.shared.f32 [%rd2], %f1;", threads: 3), StringComparison.Ordinal);
    }

    [Fact]
    public void ThreadsThatDoNotMeetAreRefused()
    {
        const string OnlyTheFirst = "mov.b32 %r1, %tid.x;\nsetp.ne.s32 %p1, %r1, 0;\n@%p1 bra END;\n";
        Assert.Contains("bar.sync", Fault($"{OnlyTheFirst}bar.sync 0;\nEND:", threads: 2), StringComparison.Ordinal);
        string mma = $"{OnlyTheFirst}{Mma}\nEND:";
        Assert.Contains("not all of its warp", Fault(mma, threads: 32), StringComparison.Ordinal);
        Assert.Contains("not all of its warp", Fault(Mma, threads: 16), StringComparison.Ordinal);
    }

    // By the pictures of the PTX ISA: A[r, k] = 1 only at (9, 3), which is the upper half of a register of thread 5; B[3, n] = 2ⁿ.
    [Fact]
    public void AWarpMultipliesMatrices()
    {
        float[] row = Run($"""
            mov.b32 %r1, %tid.x;
            mov.b32 %r10, 0;
            mov.b32 %r11, 0;
            mov.b32 %r12, 0;
            mov.b32 %r13, 0;
            mov.b32 %r20, 0;
            mov.b32 %r21, 0;
            mov.f32 %f9, 0f00000000;
            setp.eq.s32 %p1, %r1, 5;
            @%p1 mov.b32 %r11, 1006632960;
            and.b32 %r2, %r1, 3;
            setp.ne.s32 %p2, %r2, 1;
            @%p2 bra GO;
            shr.u32 %r3, %r1, 2;
            add.s32 %r4, %r3, 15;
            shl.b32 %r20, %r4, 26;
            GO:
            {Mma}
            shr.u32 %r3, %r1, 2;
            setp.ne.s32 %p3, %r3, 1;
            @%p3 bra END;
            and.b32 %r2, %r1, 3;
            mul.wide.u32 %rd2, %r2, 8;
            add.u64 %rd3, %rd1, %rd2;
            st.global.f32 [%rd3], %f3;
            st.global.f32 [%rd3+4], %f4;
            END:
            """, threads: 32);
        Assert.Equal([1, 2, 4, 8, 16, 32, 64, 128], row.Take(8));
    }

    private const string Mma = "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f1, %f2, %f3, %f4}, {%r10, %r11, %r12, %r13}, {%r20, %r21}, {%f9, %f9, %f9, %f9};";

    private const string Reverse = """
        mov.b32 %r1, %tid.x;
        cvt.rn.f32.s32 %f1, %r1;
        mul.wide.u32 %rd2, %r1, 4;
        mov.b64 %rd3, buffer;
        add.u64 %rd4, %rd3, %rd2;
        st.shared.f32 [%rd4], %f1;
        WAIT
        mov.b32 %r3, 31;
        sub.s32 %r2, %r3, %r1;
        mul.wide.u32 %rd5, %r2, 4;
        add.u64 %rd6, %rd3, %rd5;
        ld.shared.f32 %f2, [%rd6];
        add.u64 %rd7, %rd1, %rd2;
        st.global.f32 [%rd7], %f2;
        """;

    private static string Fault(string body, int threads) => Assert.Throws<PtxException>(() => Run(body, threads)).Message;

    // A kernel of one group whose %rd1 is the address of forty numbers.
    private static float[] Run(string body, int threads)
    {
        string text = $"""
            .visible .entry Kernel(
            .param .align 8 .b8 _a[16]
            )
            {'{'}
            .shared .align 4 .b8 buffer[256];
            ld.param.b64 %rd1, [_a];
            {body}
            ret;
            {'}'}
            """;
        using Context context = Context.Create(builder => builder.CPU(new CPUDevice(numThreadsPerWarp: 4, numWarpsPerMultiprocessor: 1, numMultiprocessors: 1)));
        using Accelerator accelerator = context.GetCPUDevice(0).CreateAccelerator(context);
        using MemoryBuffer1D<float, Stride1D.Dense> numbers = accelerator.Allocate1D<float>(Length);
        numbers.MemSetToZero();
        new PtxLaunch("Kernel", PtxProgram.Parse(text), new Index3D(1, 1, 1), new Index3D(threads, 1, 1), new Arguments { Numbers = numbers.View.AsContiguous() }).Run();
        return numbers.GetAsArray1D();
    }

    private struct Arguments
    {
        public ArrayView<float> Numbers;
    }
}
