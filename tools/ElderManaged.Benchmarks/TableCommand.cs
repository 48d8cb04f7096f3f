using ElderManaged.Benchmarks.Measuring;
using ElderManaged.Benchmarks.Results;
using ElderManaged.Benchmarks.Sections;

namespace ElderManaged.Benchmarks;

/// <summary>Measures the sections one after the other and prints what they found, also when stopped half-way.</summary>
internal static class TableCommand
{
    private const int Interrupted = 130, WrongInput = 2, Failed = 1;

    // The limit is ten minutes; starting takes some seconds, and so does what begins just before the end.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(555);

    private static readonly ISection[] Sections = [new ProductsSection(), new FrozenSection(), new PeakSection(), new OpsSection(), new HeadSection(), new BlockSection(), new EditSection(), new GenerateSection()];

    public static IEnumerable<string> SectionNames => Sections.Select(s => s.Name);

    public static int Run(string[] only, string threads, bool quick, bool json, FileInfo? readme, CancellationToken cancellation)
    {
        if (!TryReadThreads(threads, out List<int> counts) || !TryChoose(only, out List<ISection> sections))
        {
            return WrongInput;
        }

        if (readme is not null && (!readme.Exists || !File.ReadAllText(readme.FullName).Contains(MarkdownTables.ReadmeStart, StringComparison.Ordinal)))
        {
            Console.Error.WriteLine($"{readme} has no line '{MarkdownTables.ReadmeStart}', between which and '{MarkdownTables.ReadmeEnd}' the table would go.");
            return WrongInput;
        }

        Sampler sampler = new(rounds: quick ? 1 : 2, cancellation);
        bool stopped = false;
        string? failure = null;
        List<ResultTable> tables = [];
        Machine? machine = null;
        try
        {
            machine = Machine.Measure(counts, sampler);
            BenchmarkRun run = new(new BenchmarkOptions(counts, quick), machine, sampler, Console.Error, !Console.IsErrorRedirected, cancellation);
            tables = run.Tables;
            TimeSpan typical = TimeSpan.FromTicks(sections.Sum(s => s.Typical.Ticks)), before = TimeSpan.Zero;
            foreach (ISection section in sections)
            {
                // What a section does not use, the next ones may.
                before += section.Typical;
                run.Begin(section.Name, Limit * (before / typical), (typical - before) * (quick ? 0.2 : 1));
                section.Run(run);
            }
        }
        catch (OperationCanceledException)
        {
            stopped = true;
        }
        catch (InvalidOperationException e)
        {
            failure = e.Message; // what was measured before is still printed
        }

        if (!Console.IsErrorRedirected)
        {
            Console.Error.WriteLine();
        }

        Print(machine, tables, json, stopped);
        if (failure is not null)
        {
            Console.Error.WriteLine(failure);
            return Failed;
        }

        if (readme is not null && machine is not null && !stopped)
        {
            File.WriteAllText(readme.FullName, MarkdownTables.ReplaceBlock(File.ReadAllText(readme.FullName), MarkdownTables.Short(machine, tables)));
        }

        return stopped ? Interrupted : 0;
    }

    private static void Print(Machine? machine, List<ResultTable> tables, bool json, bool stopped)
    {
        if (json)
        {
            Console.Out.WriteLine(JsonList.Write(tables.SelectMany(t => t.Lines)));
            return;
        }

        if (machine is not null)
        {
            Console.Out.WriteLine($"# Speed\n\n{machine.Sentence()} Arrays of 192 MiB; the third-level cache of a server may hold much of that, so \"memory\" here includes it.\n");
            Console.Out.WriteLine("Ours and peer are speeds, measured in turn in one process; each is the median of its samples. A ratio is ours divided by the peer's: more is better. The bar is the least ratio wanted.\n");
        }

        foreach (ResultTable table in tables)
        {
            Console.Out.WriteLine(MarkdownTables.Full(table));
        }

        if (stopped)
        {
            Console.Out.WriteLine("Stopped before the end: the tables hold what was measured until then.");
        }
    }

    private static bool TryReadThreads(string text, out List<int> counts)
    {
        counts = [];
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!int.TryParse(part, out int count) || count < 1 || count > 1024)
            {
                Console.Error.WriteLine($"--threads: '{part}' is no number of threads from 1 to 1024; write for example 1,2.");
                return false;
            }

            counts.Add(count);
        }

        if (counts.Count == 0)
        {
            Console.Error.WriteLine("--threads: give at least one number, for example 1,2.");
        }

        return counts.Count > 0;
    }

    private static bool TryChoose(string[] only, out List<ISection> sections)
    {
        sections = [];
        string[] names = [.. only.SelectMany(o => o.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))];
        string? unknown = names.FirstOrDefault(n => !SectionNames.Contains(n));
        if (unknown is not null)
        {
            Console.Error.WriteLine($"--only: there is no table '{unknown}'; there are {string.Join(", ", SectionNames)}.");
            return false;
        }

        sections = [.. Sections.Where(s => names.Length == 0 || names.Contains(s.Name))];
        return true;
    }
}
