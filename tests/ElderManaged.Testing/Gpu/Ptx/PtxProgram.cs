using System.Globalization;
using System.Text.RegularExpressions;

namespace ElderManaged.Testing.Ptx;

/// <summary>What an instruction does besides computing.</summary>
internal enum PtxKind
{
    /// <summary>Computes, or moves to and from memory; the next one follows.</summary>
    Ordinary,

    /// <summary>Goes on at a label.</summary>
    Branch,

    /// <summary>Waits for all threads of the group.</summary>
    Barrier,

    /// <summary>Is done by the 32 threads of a warp together.</summary>
    Together,

    /// <summary>Ends the thread.</summary>
    Return,
}

/// <summary>One instruction, ready to run.</summary>
/// <param name="Text">The line, for messages.</param>
/// <param name="Kind">What comes after it.</param>
/// <param name="Guard">The predicate's register that decides whether it is done; negative without one.</param>
/// <param name="GuardIsInverted">Done where the predicate is false.</param>
internal sealed record PtxInstruction(string Text, PtxKind Kind, int Guard, bool GuardIsInverted)
{
    /// <summary>Where a branch goes.</summary>
    public int Target { get; set; }

    /// <summary>Of an ordinary one.</summary>
    public Action<PtxThread>? Do { get; init; }

    /// <summary>Of one that a warp does together.</summary>
    public Action<PtxThread[]>? DoTogether { get; init; }
}

/// <summary>
/// A kernel in PTX, NVIDIA's assembly language, taken apart: one entry with a block of parameters, arrays in shared memory, and
/// instructions over any number of typed registers.
/// </summary>
/// <remarks>
/// <code>
///   .visible .entry Kernel_Map(.param .align 8 .b8 _a[40])      the parameters: as many bytes
///   {
///      .shared .align 4 .b8 buffer[1024];                       one of it for each group
///      .reg .f32 %f&lt;9&gt;;                                         registers of each thread
///      ld.param.b64  %rd1, [_a+8];
///   L_1:                                                        a label
///      setp.ge.s32   %p1, %r1, %r2;                             opcode.type  target, sources
///      @%p1 bra      L_2;                                       only where the predicate %p1 holds
/// </code>
/// All that an instruction names becomes a number of a register: constants and addresses of arrays are registers that start with
/// their value, and so are %tid and the other names of where a thread stands.
/// </remarks>
internal sealed partial class PtxProgram
{
    /// <summary>Shared memory starts here, so that null points nowhere.</summary>
    public const int SharedStart = 256;

    private readonly Dictionary<string, int> _registers = new(StringComparer.Ordinal);
    private readonly List<ulong> _initial = [];
    private readonly Dictionary<string, int> _labels = new(StringComparer.Ordinal);
    private readonly List<PtxInstruction> _code = [];
    private string _parameters = "";

    private PtxProgram()
    {
    }

    /// <summary>The instructions of the entry.</summary>
    public PtxInstruction[] Code { get; private set; } = [];

    /// <summary>What the registers hold before the first instruction.</summary>
    public ulong[] InitialRegisters { get; private set; } = [];

    /// <summary>Bytes of the block of parameters.</summary>
    public int ParameterBytes { get; private set; }

    /// <summary>Bytes of shared memory, with what lies before its start.</summary>
    public int SharedEnd { get; private set; } = SharedStart;

    /// <summary>Takes a text apart.</summary>
    public static PtxProgram Parse(string text)
    {
        PtxProgram program = new();
        bool inEntry = false;
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.Trim();
            if (line.Contains(".entry", StringComparison.Ordinal))
            {
                inEntry = true; // what comes before are functions that nobody calls
            }

            if (inEntry && line.Length > 0 && !line.StartsWith("//", StringComparison.Ordinal))
            {
                program.Take(line);
            }
        }

        program.Finish();
        return program;
    }

    /// <summary>The number of a register, a constant, an array's address or a special register.</summary>
    public int Register(string name)
    {
        if (!_registers.TryGetValue(name, out int number))
        {
            _registers[name] = number = _initial.Count;
            _initial.Add(name[0] == '%' ? 0 : Constant(name));
        }

        return number;
    }

    /// <summary>The number of a register where the program has it, else negative.</summary>
    public int Find(string name) => _registers.GetValueOrDefault(name, -1);

    /// <summary>The registers of "{%f1, %f2}", or of one.</summary>
    public int[] Vector(string operand) => [.. operand.Trim('{', '}').Split(',').Select(name => Register(name.Trim()))];

    /// <summary>"[%rd1+8]" or "[_a+8]": the register with the address, negative for parameters, and the distance from it.</summary>
    public (int Register, long Offset) Address(string operand)
    {
        Match match = AddressPattern().Match(operand);
        if (!match.Success)
        {
            throw new NotSupportedException($"No address: {operand}");
        }

        string name = match.Groups["base"].Value;
        long offset = match.Groups["offset"].Success ? long.Parse(match.Groups["offset"].Value, CultureInfo.InvariantCulture) : 0;
        return (name == _parameters ? -1 : Register(name), offset);
    }

    private void Take(string line)
    {
        if (line is "{" or "}" or ")" || line.StartsWith(".reg", StringComparison.Ordinal) || line.Contains(".entry", StringComparison.Ordinal))
        {
            return;
        }

        if (line[0] == '.')
        {
            Declare(line);
        }
        else if (line.EndsWith(':'))
        {
            _labels[line[..^1]] = _code.Count;
        }
        else
        {
            _code.Add(Instruction(line));
        }
    }

    private void Declare(string line)
    {
        Match match = DeclarationPattern().Match(line);
        if (!match.Success)
        {
            throw new NotSupportedException($"The interpreter knows no such declaration: {line}");
        }

        string name = match.Groups["name"].Value;
        int bytes = Number("bytes"), align = Number("align");
        if (match.Groups["space"].Value == "param")
        {
            (_parameters, ParameterBytes) = (name, bytes);
            return;
        }

        // As aligned as it says, and no more: who needs more must say so.
        int start = SharedEnd + ((align - (SharedEnd % (2 * align)) + (2 * align)) % (2 * align));
        _registers[name] = _initial.Count;
        _initial.Add((ulong)start);
        SharedEnd = start + bytes;

        int Number(string group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);
    }

    private PtxInstruction Instruction(string line)
    {
        Match match = InstructionPattern().Match(line);
        if (!match.Success)
        {
            throw new NotSupportedException($"The interpreter cannot read: {line}");
        }

        string opcode = match.Groups["opcode"].Value;
        string[] operands = [.. OperandPattern().Matches(match.Groups["operands"].Value).Select(operand => operand.Value.Trim())];
        int guard = match.Groups["guard"].Success ? Register(match.Groups["guard"].Value) : -1;
        PtxInstruction instruction = new(line, PtxKind.Ordinary, guard, match.Groups["not"].Success);
        return opcode switch
        {
            "bra" or "bra.uni" => instruction with { Kind = PtxKind.Branch },
            "ret" => instruction with { Kind = PtxKind.Return },
            "bar.sync" or "barrier.sync" when operands is ["0"] => instruction with { Kind = PtxKind.Barrier },
            _ when opcode.StartsWith("mma.sync.", StringComparison.Ordinal) => instruction with { Kind = PtxKind.Together, DoTogether = PtxTensorCore.Decode(this, opcode, operands) },
            _ => instruction with { Do = PtxInstructions.Decode(this, opcode, operands) ?? throw new NotSupportedException($"The interpreter does not know: {line}") },
        };
    }

    private void Finish()
    {
        foreach (PtxInstruction branch in _code.Where(instruction => instruction.Kind == PtxKind.Branch))
        {
            string label = branch.Text.TrimEnd(';').Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[^1];
            branch.Target = _labels.TryGetValue(label, out int target) ? target : throw new NotSupportedException($"No label for: {branch.Text}");
        }

        (Code, InitialRegisters) = ([.. _code], [.. _initial]);
    }

    // 12, -3, 0f3F800000 (the bits of a float32), 0x1F.
    private static ulong Constant(string text) => text switch
    {
        _ when text.StartsWith("0f", StringComparison.OrdinalIgnoreCase) => uint.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture),
        _ when text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) => ulong.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture),
        _ when text[0] == '-' => (ulong)long.Parse(text, CultureInfo.InvariantCulture),
        _ when char.IsAsciiDigit(text[0]) => ulong.Parse(text, CultureInfo.InvariantCulture),
        _ => throw new NotSupportedException($"The interpreter knows no {text}."),
    };

    [GeneratedRegex(@"^(@(?<not>!)?(?<guard>%\w+)\s+)?(?<opcode>[\w.]+)(\s+(?<operands>.*))?;$")]
    private static partial Regex InstructionPattern();

    [GeneratedRegex(@"\{[^}]*\}|\[[^\]]*\]|[^,\s]+")]
    private static partial Regex OperandPattern();

    [GeneratedRegex(@"^\[(?<base>%?\w+)(\+(?<offset>-?\d+))?\]$")]
    private static partial Regex AddressPattern();

    [GeneratedRegex(@"^\.(?<space>param|shared) \.align (?<align>\d+) \.b8 (?<name>\w+)\[(?<bytes>\d+)\];?$")]
    private static partial Regex DeclarationPattern();
}
