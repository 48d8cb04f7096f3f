using ILGPU;

namespace ElderManaged.Testing.Ptx;

/// <summary>One thread: its registers and where it stands.</summary>
internal sealed class PtxThread(PtxGroup group, int number, ulong[] registers)
{
    public PtxGroup Group { get; } = group;

    /// <summary>Its number in the group.</summary>
    public int Number { get; } = number;

    public ulong[] Registers { get; } = registers;

    /// <summary>Which instruction comes next.</summary>
    public int Next { get; set; }

    /// <summary>What it cannot do before others have come there too.</summary>
    public PtxInstruction? Waits { get; set; }

    public bool HasEnded { get; set; }
}

/// <summary>
/// The threads of one group. Each runs alone until it must wait: before an instruction that its warp of 32 does together, or at a
/// barrier. That is one of the orders in which a GPU may run them; where another could give something else, <see cref="PtxShared"/>
/// says so.
/// </summary>
internal sealed class PtxGroup
{
    private const int Warp = 32;
    private const int MostSteps = 50_000_000;

    private readonly PtxInstruction[] _code;
    private readonly PtxThread[] _threads;
    private readonly PtxThread[][] _warps;
    private readonly Index3D _place;

    public PtxGroup(PtxLaunch launch, Index3D place)
    {
        (Launch, _code, _place) = (launch, launch.Program.Code, place);
        Shared = new PtxShared(launch.Program.SharedEnd);
        _threads = [.. Enumerable.Range(0, launch.GroupSize.Size).Select(NewThread)];
        _warps = [.. _threads.Chunk(Warp)];
    }

    public PtxLaunch Launch { get; }

    public PtxShared Shared { get; }

    /// <summary>Runs all threads to their end.</summary>
    public void Run()
    {
        while (true)
        {
            foreach (PtxThread[] warp in _warps)
            {
                do
                {
                    Array.ForEach(warp, RunAlone);
                }
                while (RunTogether(warp));
            }

            PtxThread first = _threads[0];
            if (Array.Find(_threads, thread => thread.Waits != first.Waits) is { } other)
            {
                throw Failure(other, $"{other.Waits?.Text ?? "end"}: thread {first.Number} waits for it at {first.Waits?.Text ?? "its end"}");
            }

            if (first.HasEnded)
            {
                return;
            }

            Shared.PassBarrier();
            Array.ForEach(_threads, thread => thread.Waits = null);
        }
    }

    private void RunAlone(PtxThread thread)
    {
        for (int steps = 0; !thread.HasEnded && thread.Waits is null; steps++)
        {
            PtxInstruction instruction = _code[thread.Next++];
            if (instruction.Guard >= 0 && thread.Registers[instruction.Guard] != 0 == instruction.GuardIsInverted)
            {
                continue;
            }

            switch (instruction.Kind)
            {
                case PtxKind.Ordinary:
                    Do(thread, instruction);
                    break;
                case PtxKind.Branch:
                    thread.Next = steps < MostSteps ? instruction.Target : throw Failure(thread, $"{instruction.Text}: {steps} steps, and no end");
                    break;
                case PtxKind.Return:
                    thread.HasEnded = true;
                    break;
                default:
                    thread.Waits = instruction;
                    break;
            }
        }
    }

    // False where no thread of the warp waits for that.
    private bool RunTogether(PtxThread[] warp)
    {
        if (Array.Find(warp, thread => thread.Waits?.Kind == PtxKind.Together) is not { } first)
        {
            return false;
        }

        if (warp.Length < Warp || Array.Exists(warp, thread => thread.Waits != first.Waits))
        {
            throw Failure(first, $"{first.Waits!.Text}: not all of its warp come here");
        }

        first.Waits!.DoTogether!(warp);
        Array.ForEach(warp, thread => thread.Waits = null);
        return true;
    }

    private void Do(PtxThread thread, PtxInstruction instruction)
    {
        try
        {
            instruction.Do!(thread);
        }
        catch (PtxException failure)
        {
            throw Failure(thread, $"{instruction.Text}: {failure.Message}");
        }
    }

    private PtxException Failure(PtxThread thread, string what) => new($"Thread {thread.Number} of group {_place} of {Launch.Name}, at {what}");

    private PtxThread NewThread(int number)
    {
        ulong[] registers = [.. Launch.Program.InitialRegisters];
        Index3D size = Launch.GroupSize;
        Set("%tid", new Index3D(number % size.X, number / size.X % size.Y, number / size.X / size.Y));
        Set("%ntid", size);
        Set("%ctaid", _place);
        Set("%nctaid", Launch.Groups);
        return new PtxThread(this, number, registers);

        void Set(string name, Index3D value)
        {
            foreach ((string part, int coordinate) in ((string, int)[])[("x", value.X), ("y", value.Y), ("z", value.Z)])
            {
                if (Launch.Program.Find($"{name}.{part}") is int register and >= 0)
                {
                    registers[register] = (ulong)coordinate;
                }
            }
        }
    }
}

/// <summary>A kernel did what it must not do.</summary>
public sealed class PtxException(string message) : Exception(message);
