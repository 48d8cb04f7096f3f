using System.CommandLine;
using System.Reflection;
using ElderManaged.Tensors;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace ElderManaged.KernelDump;

/// <summary>Lists the engine's GPU kernels, and writes them as PTX or OpenCL C: for reading, and for an assembler. Needs no GPU.</summary>
public static class DumpCommand
{
    private const int Success = 0, BadInput = 2;

    /// <summary>The command.</summary>
    /// <param name="output">Takes lists and texts.</param>
    /// <param name="error">Takes what is wrong with the input.</param>
    public static RootCommand Create(TextWriter output, TextWriter error)
    {
        Argument<string[]> kernels = new("kernels") { Description = "Names of kernels, or parts of them; none for all.", Arity = ArgumentArity.ZeroOrMore };
        Option<bool> list = new("--list") { Description = "Print the names of the kernels." };
        Option<string[]> ptx = new("--ptx") { Description = "Write PTX for these architectures, such as SM_80.", AllowMultipleArgumentsPerToken = false };
        Option<bool> openCL = new("--opencl") { Description = "Write OpenCL C." };
        Option<DirectoryInfo?> folder = new("--out") { Description = "The folder to write to, one file for each text; without it they are printed." };
        RootCommand command = new("Lists the GPU kernels and writes them as PTX or OpenCL C, without a GPU.") { kernels, list, ptx, openCL, folder };
        command.SetAction(parsed =>
        {
            List<CudaArchitecture> architectures = [];
            foreach (string name in parsed.GetValue(ptx) ?? [])
            {
                if (!name.StartsWith("SM_", StringComparison.OrdinalIgnoreCase) || !TryParse(name, out CudaArchitecture architecture))
                {
                    return Refuse(error, $"--ptx is {name}; it must be an architecture of NVIDIA, such as {string.Join(", ", GpuKernelText.Architectures)}.");
                }

                architectures.Add(architecture);
            }

            IReadOnlyList<MethodInfo> all = GpuKernelText.AllKernels();
            string[] parts = parsed.GetValue(kernels) ?? [];
            if (parts.FirstOrDefault(part => !all.Any(kernel => Has(kernel, part))) is { } unknown)
            {
                return Refuse(error, $"No kernel has '{unknown}' in its name; --list prints the names of all {all.Count}.");
            }

            MethodInfo[] chosen = [.. all.Where(kernel => parts.Length == 0 || parts.Any(part => Has(kernel, part)))];
            bool asOpenCL = parsed.GetValue(openCL);
            if (parsed.GetValue(list) || (architectures.Count == 0 && !asOpenCL))
            {
                foreach (MethodInfo kernel in chosen)
                {
                    output.WriteLine(GpuKernels.NameOf(kernel));
                }
            }

            Write(output, chosen, architectures, asOpenCL, parsed.GetValue(folder));
            return Success;
        });
        return command;
    }

    private static void Write(TextWriter output, MethodInfo[] kernels, List<CudaArchitecture> architectures, bool openCL, DirectoryInfo? folder)
    {
        if (architectures.Count == 0 && !openCL)
        {
            return;
        }

        using Context context = GpuDevices.CreateContextWithoutDevices();
        HashSet<string> names = new(StringComparer.OrdinalIgnoreCase);
        foreach (MethodInfo kernel in kernels)
        {
            foreach (CudaArchitecture architecture in architectures)
            {
                if (Supports(kernel, architecture))
                {
                    Put(kernel, $"{architecture}.ptx", GpuKernelText.Ptx(context, kernel, architecture));
                }
            }

            if (openCL && Supports(kernel, null))
            {
                Put(kernel, "cl", GpuKernelText.OpenCL(context, kernel));
            }
        }

        if (folder is not null)
        {
            output.WriteLine($"{names.Count} files in {folder.FullName}");
        }

        bool Supports(MethodInfo kernel, CudaArchitecture? architecture)
        {
            bool supported = GpuKernelText.Supports(kernel, architecture);
            if (!supported)
            {
                output.WriteLine($"// {GpuKernels.NameOf(kernel)} uses tensor cores, which {(architecture is null ? "OpenCL" : $"{architecture}")} has not.");
            }

            return supported;
        }

        void Put(MethodInfo kernel, string ending, string text)
        {
            if (folder is null)
            {
                output.WriteLine($"// {GpuKernels.NameOf(kernel)}, {ending}");
                output.WriteLine(text);
                return;
            }

            // Kernels of one name, such as those of structures that are nested in different classes, get numbers.
            string stem = FileName(GpuKernels.NameOf(kernel)), name = $"{stem}.{ending}";
            for (int number = 2; !names.Add(name); number++)
            {
                name = $"{stem}-{number}.{ending}";
            }

            folder.Create();
            File.WriteAllText(Path.Combine(folder.FullName, name), text);
        }
    }

    // "Elementwise.Map(GeluFormula)" is Elementwise.Map-GeluFormula: no file system or shell minds it.
    private static string FileName(string kernel) =>
        string.Concat(kernel.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' ? c : '-')).Replace("--", "-", StringComparison.Ordinal).TrimEnd('-');

    private static bool TryParse(string name, out CudaArchitecture architecture)
    {
        // The known ones are static fields of a structure.
        FieldInfo? known = typeof(CudaArchitecture).GetField(name.ToUpperInvariant(), BindingFlags.Static | BindingFlags.Public);
        architecture = known?.GetValue(null) is CudaArchitecture found ? found : default;
        return known is not null;
    }

    private static bool Has(MethodInfo kernel, string part) => GpuKernels.NameOf(kernel).Contains(part, StringComparison.OrdinalIgnoreCase);

    private static int Refuse(TextWriter error, string message)
    {
        error.WriteLine($"kernel-dump: {message}");
        return BadInput;
    }
}
