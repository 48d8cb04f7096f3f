using System.CommandLine;
using ElderManaged.KernelDump;

return DumpCommand.Create(Console.Out, Console.Error).Parse(args).Invoke(new InvocationConfiguration { Output = Console.Out, Error = Console.Error });
