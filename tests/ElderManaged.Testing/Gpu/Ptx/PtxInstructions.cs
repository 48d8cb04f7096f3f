using static System.BitConverter;

namespace ElderManaged.Testing.Ptx;

/// <summary>
/// What each instruction computes, by the PTX ISA: those that the engine's kernels are compiled to. A register is 64 bits wide
/// here; narrower types use the lower ones, and the rest is zero.
/// </summary>
internal static class PtxInstructions
{
    private static readonly Dictionary<string, Func<ulong, ulong>> OneSource = new(StringComparer.Ordinal)
    {
        ["cvta.to.global.u64"] = a => a,
        ["not.pred"] = a => a ^ 1,
        ["not.b32"] = a => (uint)~a,
        ["neg.s32"] = a => (uint)-Int(a),
        ["neg.f32"] = a => Bits(-Float(a)),
        ["abs.f32"] = a => Bits(MathF.Abs(Float(a))),
        ["sqrt.rn.f32"] = a => Bits(MathF.Sqrt(Float(a))),
        ["rcp.rn.f32"] = a => Bits(1 / Float(a)),
        ["ex2.approx.f32"] = a => Bits((float)Math.Pow(2, Float(a))),
        ["lg2.approx.f32"] = a => Bits((float)Math.Log2(Float(a))),
        ["cvt.s64.s32"] = a => (ulong)Int(a),
        ["cvt.u64.u32"] = a => (uint)a,
        ["cvt.u32.u64"] = a => (uint)a,
        ["cvt.s32.s64"] = a => (uint)a,
        ["cvt.rn.f32.s32"] = a => Bits(Int(a)),
        ["cvt.rn.f32.u32"] = a => Bits((uint)a),
        ["cvt.rzi.s32.f32"] = a => (uint)Truncated(Float(a)),
    };

    private static readonly Dictionary<string, Func<ulong, ulong, ulong>> TwoSources = new(StringComparer.Ordinal)
    {
        ["add.s32"] = (a, b) => (uint)(a + b),
        ["add.s64"] = (a, b) => a + b,
        ["add.u64"] = (a, b) => a + b,
        ["add.f32"] = (a, b) => Bits(Float(a) + Float(b)),
        ["sub.s32"] = (a, b) => (uint)(a - b),
        ["sub.s64"] = (a, b) => a - b,
        ["sub.f32"] = (a, b) => Bits(Float(a) - Float(b)),
        ["mul.lo.s32"] = (a, b) => (uint)(a * b),
        ["mul.lo.s64"] = (a, b) => a * b,
        ["mul.wide.s32"] = (a, b) => (ulong)((long)Int(a) * Int(b)),
        ["mul.wide.u32"] = (a, b) => (ulong)(uint)a * (uint)b,
        ["mul.f32"] = (a, b) => Bits(Float(a) * Float(b)),
        ["div.s32"] = (a, b) => (uint)(Int(a) / Divisor(b)),
        ["rem.s32"] = (a, b) => (uint)(Int(a) % Divisor(b)),
        ["div.rn.f32"] = (a, b) => Bits(Float(a) / Float(b)),
        ["min.s32"] = (a, b) => (uint)Math.Min(Int(a), Int(b)),
        ["max.s32"] = (a, b) => (uint)Math.Max(Int(a), Int(b)),
        ["min.s64"] = (a, b) => (ulong)Math.Min((long)a, (long)b),
        ["max.s64"] = (a, b) => (ulong)Math.Max((long)a, (long)b),
        ["and.b32"] = (a, b) => a & b,
        ["and.pred"] = (a, b) => a & b,
        ["or.b32"] = (a, b) => a | b,
        ["or.pred"] = (a, b) => a | b,
        ["xor.b32"] = (a, b) => a ^ b,
        ["xor.pred"] = (a, b) => a ^ b,

        // Distances beyond the width are allowed, and leave nothing (or the sign).
        ["shl.b32"] = (a, b) => (uint)b > 31 ? 0 : (uint)(a << (int)b),
        ["shl.b64"] = (a, b) => (uint)b > 63 ? 0 : a << (int)b,
        ["shr.u32"] = (a, b) => (uint)b > 31 ? 0 : (uint)a >> (int)b,
        ["shr.u64"] = (a, b) => (uint)b > 63 ? 0 : a >> (int)b,
        ["shr.s32"] = (a, b) => (uint)(Int(a) >> (int)Math.Min((uint)b, 31)),
        ["shr.s64"] = (a, b) => (ulong)((long)a >> (int)Math.Min((uint)b, 63)),

        // Two numbers in one register: the first source is the upper half.
        ["cvt.rn.f16x2.f32"] = (a, b) => ((uint)HalfToUInt16Bits((Half)Float(a)) << 16) | HalfToUInt16Bits((Half)Float(b)),
        ["cvt.rn.bf16x2.f32"] = (a, b) => (PtxTensorCore.BFloatBits(Float(a)) << 16) | PtxTensorCore.BFloatBits(Float(b)),
    };

    private static readonly Dictionary<string, Func<ulong, ulong, ulong, ulong>> ThreeSources = new(StringComparer.Ordinal)
    {
        ["mad.lo.s32"] = (a, b, c) => (uint)((a * b) + c),
        ["mad.lo.s64"] = (a, b, c) => (a * b) + c,
        ["mad.lo.u64"] = (a, b, c) => (a * b) + c,
        ["fma.rn.f32"] = (a, b, c) => Bits(MathF.FusedMultiplyAdd(Float(a), Float(b), Float(c))),
        ["selp.b32"] = Select,
        ["selp.b64"] = Select,
        ["selp.f32"] = Select,
    };

    /// <summary>An instruction as something a thread does; null where it is not known.</summary>
    public static Action<PtxThread>? Decode(PtxProgram program, string opcode, string[] operands)
    {
        string[] parts = opcode.Split('.');
        if (parts[0] is "ld" or "st")
        {
            return Memory(program, parts, operands);
        }

        int[] registers = [.. operands.Select(program.Register)];
        if (parts[0] == "mov" && registers is [int to, int from])
        {
            return thread => thread.Registers[to] = thread.Registers[from];
        }

        if (registers is [int target, int source] && OneSource.TryGetValue(opcode, out var one))
        {
            return thread => thread.Registers[target] = one(thread.Registers[source]);
        }

        if (registers is [int result, int left, int right] && (parts[0] == "setp" ? Comparison(parts[1], parts[2]) : TwoSources.GetValueOrDefault(opcode)) is { } two)
        {
            return thread => thread.Registers[result] = two(thread.Registers[left], thread.Registers[right]);
        }

        if (registers is [int d, int a, int b, int c] && ThreeSources.TryGetValue(opcode, out var three))
        {
            return thread => thread.Registers[d] = three(thread.Registers[a], thread.Registers[b], thread.Registers[c]);
        }

        return null;
    }

    /// <summary>The number that a register holds.</summary>
    public static float Float(ulong bits) => UInt32BitsToSingle((uint)bits);

    /// <summary>A number as a register holds it.</summary>
    public static ulong Bits(float value) => SingleToUInt32Bits(value);

    private static int Int(ulong bits) => (int)(uint)bits;

    private static int Divisor(ulong bits) => Int(bits) != 0 ? Int(bits) : throw new PtxException("a division by zero");

    private static ulong Select(ulong whenTrue, ulong whenFalse, ulong predicate) => predicate != 0 ? whenTrue : whenFalse;

    // What does not fit becomes the nearest that does, and what is not a number 0.
    private static int Truncated(float value) => float.IsNaN(value) ? 0 : (int)Math.Clamp(Math.Truncate((double)value), int.MinValue, int.MaxValue);

    // setp.lt.f32 is false where one is not a number, setp.ltu.f32 is true.
    private static Func<ulong, ulong, ulong>? Comparison(string how, string type) => (how, type) switch
    {
        ("eq", "s32" or "u32" or "b32" or "s64" or "u64" or "b64") => (a, b) => Truth(a == b),
        ("ne", "s32" or "u32" or "b32" or "s64" or "u64" or "b64") => (a, b) => Truth(a != b),
        ("lt", "s32") => (a, b) => Truth(Int(a) < Int(b)),
        ("le", "s32") => (a, b) => Truth(Int(a) <= Int(b)),
        ("gt", "s32") => (a, b) => Truth(Int(a) > Int(b)),
        ("ge", "s32") => (a, b) => Truth(Int(a) >= Int(b)),
        ("lt", "s64") => (a, b) => Truth((long)a < (long)b),
        ("le", "s64") => (a, b) => Truth((long)a <= (long)b),
        ("gt", "s64") => (a, b) => Truth((long)a > (long)b),
        ("ge", "s64") => (a, b) => Truth((long)a >= (long)b),
        ("lo" or "lt", "u32" or "u64") => (a, b) => Truth(a < b),
        ("ls" or "le", "u32" or "u64") => (a, b) => Truth(a <= b),
        ("hi" or "gt", "u32" or "u64") => (a, b) => Truth(a > b),
        ("hs" or "ge", "u32" or "u64") => (a, b) => Truth(a >= b),
        ("eq", "f32") => (a, b) => Truth(Float(a) == Float(b)),
        ("ne", "f32") => (a, b) => Truth(Float(a) < Float(b) || Float(a) > Float(b)),
        ("lt", "f32") => (a, b) => Truth(Float(a) < Float(b)),
        ("le", "f32") => (a, b) => Truth(Float(a) <= Float(b)),
        ("gt", "f32") => (a, b) => Truth(Float(a) > Float(b)),
        ("ge", "f32") => (a, b) => Truth(Float(a) >= Float(b)),
        ("equ", "f32") => (a, b) => Truth(!(Float(a) < Float(b) || Float(a) > Float(b))),
        ("neu", "f32") => (a, b) => Truth(Float(a) != Float(b)),
        ("ltu", "f32") => (a, b) => Truth(!(Float(a) >= Float(b))),
        ("leu", "f32") => (a, b) => Truth(!(Float(a) > Float(b))),
        ("gtu", "f32") => (a, b) => Truth(!(Float(a) <= Float(b))),
        ("geu", "f32") => (a, b) => Truth(!(Float(a) < Float(b))),
        _ => null,
    };

    private static ulong Truth(bool holds) => holds ? 1UL : 0;

    // ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%rd1+16]: the whole vector must be aligned.
    private static Action<PtxThread>? Memory(PtxProgram program, string[] parts, string[] operands)
    {
        bool loads = parts[0] == "ld";
        bool vector = parts.Length == 4 && parts[2] is "v2" or "v4";
        int bytes = parts[^1] switch { "b32" or "s32" or "u32" or "f32" => 4, "b64" or "s64" or "u64" => 8, "b16" or "u16" => 2, "b8" or "u8" => 1, _ => 0 };
        if (operands.Length != 2 || bytes == 0 || (parts.Length != 3 && !vector))
        {
            return null;
        }

        int[] registers = program.Vector(operands[loads ? 0 : 1]);
        (int register, long offset) = program.Address(operands[loads ? 1 : 0]);
        int all = bytes * registers.Length;
        return (parts[0], parts[1]) switch
        {
            ("ld", "param") when register < 0 => thread =>
            {
                for (int i = 0; i < registers.Length; i++)
                {
                    thread.Registers[registers[i]] = thread.Group.Launch.Parameter((int)offset + (i * bytes), bytes);
                }
            },
            ("ld", "global") when register >= 0 => thread =>
            {
                ulong start = thread.Group.Launch.Global(thread.Registers[register] + (ulong)offset, all);
                for (int i = 0; i < registers.Length; i++)
                {
                    thread.Registers[registers[i]] = PtxLaunch.Load(start + (ulong)(i * bytes), bytes);
                }
            },
            ("st", "global") when register >= 0 => thread =>
            {
                ulong start = thread.Group.Launch.Global(thread.Registers[register] + (ulong)offset, all);
                for (int i = 0; i < registers.Length; i++)
                {
                    PtxLaunch.Store(start + (ulong)(i * bytes), bytes, thread.Registers[registers[i]]);
                }
            },
            ("ld", "shared") when register >= 0 => thread =>
            {
                int start = thread.Group.Shared.Place(thread.Registers[register] + (ulong)offset, all);
                for (int i = 0; i < registers.Length; i++)
                {
                    thread.Registers[registers[i]] = thread.Group.Shared.Load(thread, start + (i * bytes), bytes);
                }
            },
            ("st", "shared") when register >= 0 => thread =>
            {
                int start = thread.Group.Shared.Place(thread.Registers[register] + (ulong)offset, all);
                for (int i = 0; i < registers.Length; i++)
                {
                    thread.Group.Shared.Store(thread, start + (i * bytes), bytes, thread.Registers[registers[i]]);
                }
            },
            _ => null,
        };
    }
}
