using System.CommandLine;
using BenchmarkDotNet.Running;
using ElderManaged.Benchmarks;
using ElderManaged.Benchmarks.Exact;

// table: everything with ratios, in ten minutes at most.  bdn: exact statistics of a few kernels, by BenchmarkDotNet.
if (args is ["bdn", .. string[] forBenchmarkDotNet])
{
    BenchmarkSwitcher.FromAssembly(typeof(TableCommand).Assembly).Run(forBenchmarkDotNet, ExactSettings.InThisProcess);
    return 0;
}

Option<bool> json = new("--json") { Description = "A list of {name, threads, ours, peer, unit, ratio} instead of Markdown." };
Option<bool> quick = new("--quick") { Description = "Fewer cases and samples, for a first look." };
Option<string[]> only = new("--only") { Description = $"Only these tables: {string.Join(", ", TableCommand.SectionNames)}.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [] };
Option<string> threads = new("--threads") { Description = "Numbers of threads, with commas.", DefaultValueFactory = _ => Environment.ProcessorCount == 1 ? "1" : $"1,{Environment.ProcessorCount}" };
Option<FileInfo?> readme = new("--readme") { Description = "Also writes the short table between the two markers of this file." };
Command table = new("table", "Measures everything against its peer or the machine's limits and prints tables with ratios.") { json, quick, only, threads, readme };
table.SetAction((parse, cancellation) => Task.FromResult(TableCommand.Run(
    parse.GetValue(only)!, parse.GetValue(threads)!, parse.GetValue(quick), parse.GetValue(json), parse.GetValue(readme), cancellation)));

RootCommand root = new("Speed of ElderManaged against peers and against the machine. 'bdn --filter *Gemm*' runs single kernels under BenchmarkDotNet.") { table };
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) }).ConfigureAwait(false);
