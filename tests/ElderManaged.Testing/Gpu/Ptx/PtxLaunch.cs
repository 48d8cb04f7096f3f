using System.Reflection;
using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Testing.Ptx;

/// <summary>
/// One run of a kernel over all groups, one after another. Its views lie in the memory of this process; an access outside of them,
/// or less aligned than it is long, is an error.
/// </summary>
/// <remarks>
/// Arguments are one block of bytes, as a driver hands it to the kernel: fields in their order, each aligned as its size, a view as
/// its address and its length.
/// </remarks>
internal sealed class PtxLaunch
{
    private readonly List<(ulong Start, ulong End)> _views = [];
    private readonly byte[] _parameters;

    public PtxLaunch(string name, PtxProgram program, Index3D groups, Index3D groupSize, object arguments)
    {
        (Name, Program, Groups, GroupSize) = (name, program, groups, groupSize);
        _parameters = new byte[program.ParameterBytes];
        int end = Put(arguments, 0);
        if (end != program.ParameterBytes)
        {
            throw new PtxException($"{name} takes {program.ParameterBytes} bytes of parameters, but {arguments.GetType().Name} has {end}");
        }
    }

    public string Name { get; }

    public PtxProgram Program { get; }

    public Index3D Groups { get; }

    public Index3D GroupSize { get; }

    public void Run()
    {
        for (int z = 0; z < Groups.Z; z++)
        {
            for (int y = 0; y < Groups.Y; y++)
            {
                for (int x = 0; x < Groups.X; x++)
                {
                    new PtxGroup(this, new Index3D(x, y, z)).Run();
                }
            }
        }
    }

    /// <summary>A parameter's bits.</summary>
    public ulong Parameter(int offset, int bytes)
    {
        Span<byte> value = stackalloc byte[8];
        value.Clear();
        _parameters.AsSpan(offset, bytes).CopyTo(value);
        return BitConverter.ToUInt64(value);
    }

    /// <summary>The address, if it lies in a view.</summary>
    public ulong Global(ulong address, int bytes)
    {
        foreach ((ulong start, ulong end) in _views)
        {
            if (address >= start && address + (ulong)bytes <= end)
            {
                return address % (ulong)bytes == 0 ? address : throw new PtxException($"{bytes} bytes at {address:x} are not aligned");
            }
        }

        string nearest = _views.Count == 0 ? "there are none" : string.Join(", ", _views.Select(view => $"{(long)(address - view.Start)} of {view.End - view.Start}"));
        throw new PtxException($"{bytes} bytes outside of all views: at {nearest}");
    }

    public static unsafe ulong Load(ulong address, int bytes) => bytes switch
    {
        1 => *(byte*)address,
        2 => *(ushort*)address,
        4 => *(uint*)address,
        _ => *(ulong*)address,
    };

    public static unsafe void Store(ulong address, int bytes, ulong value)
    {
        switch (bytes)
        {
            case 1: *(byte*)address = (byte)value; break;
            case 2: *(ushort*)address = (ushort)value; break;
            case 4: *(uint*)address = (uint)value; break;
            default: *(ulong*)address = value; break;
        }
    }

    // Puts a value at the next place that is aligned for it, and says where it ends.
    private int Put(object value, int place)
    {
        switch (value)
        {
            case int number:
                return PutBytes(BitConverter.GetBytes(number), place);
            case uint number:
                return PutBytes(BitConverter.GetBytes(number), place);
            case float number:
                return PutBytes(BitConverter.GetBytes(number), place);
            case long number:
                return PutBytes(BitConverter.GetBytes(number), place);
            case ulong number:
                return PutBytes(BitConverter.GetBytes(number), place);
            case IArrayView view:
                ulong address = (ulong)(nint)PointerOf.MakeGenericMethod(view.GetType().GetGenericArguments()).Invoke(null, [view])!;
                if (view.LengthInBytes > 0)
                {
                    _views.Add((address, address + (ulong)view.LengthInBytes));
                }

                return Put(view.Length, Put(address, place));
        }

        int alignment = Alignment(value.GetType());
        place = Aligned(place, alignment);
        foreach (FieldInfo field in Fields(value.GetType()))
        {
            place = Put(field.GetValue(value)!, place);
        }

        return Aligned(place, alignment);
    }

    private int PutBytes(byte[] bytes, int place)
    {
        place = Aligned(place, bytes.Length);
        bytes.CopyTo(_parameters, place);
        return place + bytes.Length;
    }

    private static int Alignment(Type type) =>
        typeof(IArrayView).IsAssignableFrom(type) || type == typeof(long) || type == typeof(ulong) ? 8
        : type.IsPrimitive ? 4
        : Fields(type).Max(field => Alignment(field.FieldType));

    private static IEnumerable<FieldInfo> Fields(Type type) =>
        type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).OrderBy(field => field.MetadataToken);

    private static int Aligned(int place, int alignment) => (place + alignment - 1) / alignment * alignment;

    private static readonly MethodInfo PointerOf = typeof(PtxLaunch).GetMethod(nameof(Pointer), BindingFlags.Static | BindingFlags.NonPublic)!;

    private static nint Pointer<T>(ArrayView<T> view)
        where T : unmanaged => view.Length > 0 ? view.LoadEffectiveAddressAsPtr() : 0;
}
