using System.Diagnostics.CodeAnalysis;

namespace ElderManaged.Tensors;

/// <summary>
/// A dense float32 array of one to four dimensions, row-major and contiguous, which can take part in automatic
/// differentiation.
/// </summary>
/// <remarks>
/// <para>
/// A tensor made by a constructor or factory is ordinary: it lives as long as it is referenced. The result of an
/// <see cref="Op"/> inside a <see cref="Tape"/> belongs to that tape and is recycled when the tape ends; call
/// <see cref="Clone"/> (outside) or copy its <see cref="Span"/> to keep the numbers.
/// </para>
/// <para>Reading from several threads is safe; writing while another thread reads or writes is not.</para>
/// </remarks>
public sealed unsafe class Tensor
{
    private FloatBuffer? buffer;
    private int offset;
    private bool sharesBuffer;

    /// <summary>A tensor of zeros.</summary>
    public Tensor(Shape shape) : this(shape, new FloatBuffer(shape.Length, zeroed: true))
    {
    }

    /// <summary>A tensor with a copy of <paramref name="values"/>, whose number must fit the shape.</summary>
    public Tensor(Shape shape, ReadOnlySpan<float> values) : this(shape, new FloatBuffer(shape.Length, zeroed: false))
    {
        if (values.Length != shape.Length)
        {
            throw new ArgumentException($"Tensor: the shape {shape} holds {shape.Length} values, {values.Length} were given.");
        }

        values.CopyTo(Span);
    }

    internal Tensor(Shape shape, FloatBuffer buffer)
    {
        Shape = shape;
        this.buffer = buffer;
    }

    /// <summary>The sizes, outermost first.</summary>
    public Shape Shape { get; private set; }

    /// <summary>The number of elements.</summary>
    public int Length => Shape.Length;

    /// <summary>The number of contiguous rows (all dimensions but the last).</summary>
    public int Rows => Shape.Rows;

    /// <summary>The width of a row.</summary>
    public int Columns => Shape.Columns;

    /// <summary>All elements in row-major order, for reading and writing. Numbers that lie on a device come home first, and stay.</summary>
    /// <exception cref="ObjectDisposedException">The tape to which the tensor belonged has ended.</exception>
    public Span<float> Span => Buffer.Span(offset, Shape.Length);

    /// <summary>All elements, for reading only: numbers that lie on a device are copied here and stay there as well.</summary>
    public ReadOnlySpan<float> ReadOnlySpan => Buffer.ReadOnlySpan(offset, Shape.Length);

    /// <summary>All elements, as a <see cref="Memory{T}"/> that may be stored.</summary>
    public Memory<float> Memory => Buffer.Memory(offset, Shape.Length);

    /// <summary>Whether gradients are wanted for this tensor: set it on parameters; results of ops inherit it.</summary>
    public bool RequiresGrad { get; set; }

    /// <summary>
    /// The gradient of the last <see cref="Tape.Backward(Tensor)"/> calls, summed until <see cref="ZeroGrad"/>;
    /// null as long as nothing flowed here.
    /// </summary>
    public Tensor? Grad { get; internal set; }

    /// <summary>The tape that owns and recycles this tensor, or null for an ordinary tensor.</summary>
    internal Tape? Owner { get; private set; }

    /// <summary>The address of the first element; keep the tensor reachable while using it.</summary>
    internal float* Pointer => Buffer.Pointer + offset;

    /// <summary>Where the numbers lie, and where ops on this tensor compute.</summary>
    public Device Device => Buffer.Device ?? Device.Cpu;

    /// <summary>The GPU on which the numbers lie, or null. Ask for it behind <see cref="GpuFeature.IsSupported"/>.</summary>
    internal GpuDevice? Gpu => Buffer.Device as GpuDevice;

    /// <summary>Copies the numbers to a tensor of the same length, without taking them from the device they lie on.</summary>
    public void CopyTo(Tensor target)
    {
        ArgumentNullException.ThrowIfNull(target);
        if (target.Length != Length)
        {
            throw new ArgumentException($"Tensor.CopyTo: the source {Shape} and the target {target.Shape} differ in length.");
        }

        if (GpuFeature.IsSupported && Gpu is { } gpu)
        {
            gpu.Copy(gpu.Read(this), gpu.Write(target));
        }
        else
        {
            ReadOnlySpan.CopyTo(target.Span);
        }
    }

    private FloatBuffer Buffer => buffer ?? Ended();

    /// <summary>The element of a vector, or at a flat index.</summary>
    public float this[int index]
    {
        get => Span[index];
        set => Span[index] = value;
    }

    /// <summary>The element of a matrix.</summary>
    public float this[int row, int column]
    {
        get => Row(row)[column];
        set => Row(row)[column] = value;
    }

    /// <summary>One contiguous row.</summary>
    public Span<float> Row(int row) => Span.Slice(row * Columns, Columns);

    /// <summary>One contiguous row, for reading only; see <see cref="ReadOnlySpan"/>.</summary>
    public ReadOnlySpan<float> ReadOnlyRow(int row) => ReadOnlySpan.Slice(row * Columns, Columns);

    /// <summary>The single number of a one-element tensor, such as a loss.</summary>
    public float Value => Length == 1
        ? ReadOnlySpan[0]
        : throw new InvalidOperationException($"Tensor.Value: the shape {Shape} has {Length} elements, not one.");

    /// <summary>An ordinary tensor with the same numbers, without history, that lies where this one does.</summary>
    public Tensor Clone()
    {
        Tensor copy = new(Shape, new FloatBuffer(Shape.Length, zeroed: false));
        CopyTo(copy);
        return copy;
    }

    /// <summary>A tensor of the given shape filled with one value.</summary>
    public static Tensor Full(Shape shape, float value)
    {
        Tensor tensor = new(shape, new FloatBuffer(shape.Length, zeroed: false));
        tensor.Span.Fill(value);
        return tensor;
    }

    /// <summary>A one-element tensor.</summary>
    public static Tensor Scalar(float value) => Full(new Shape(1), value);

    /// <summary>Sets the gradient to zero (keeping its memory).</summary>
    public void ZeroGrad() => Grad?.Clear();

    /// <summary>Sets all elements to zero, where they lie.</summary>
    public void Clear()
    {
        if (GpuFeature.IsSupported && Gpu is { } gpu)
        {
            gpu.Clear(gpu.Write(this));
        }
        else
        {
            Span.Clear();
        }
    }

    /// <summary>Brings the numbers to a device, from where on ops on this tensor compute there. Nothing happens where they lie there already.</summary>
    public void MoveTo(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device == Device)
        {
            return;
        }

        if (device == Device.Cpu)
        {
            _ = Span;
        }
        else
        {
            Buffer.OnDevice(device, writes: true, overwrites: false);
        }
    }

    /// <summary>The device's memory for this tensor, and where in it the first element lies.</summary>
    internal DeviceMemory OnDevice(Device device, bool writes, bool overwrites, out int start)
    {
        start = offset;
        return Buffer.OnDevice(device, writes, overwrites && !sharesBuffer && offset == 0);
    }

    /// <summary>
    /// The tensor into which a backward pass adds: the gradient, made of zeros at first use. For authors of ops.
    /// </summary>
    public Tensor GradSink()
    {
        Tensor sink = GradSink(out bool fresh);
        if (fresh)
        {
            sink.Clear();
        }

        return sink;
    }

    /// <summary>
    /// The tensor into which a backward pass writes that reaches every element, which saves zeros and the sum with them.
    /// For authors of ops.
    /// </summary>
    /// <param name="fresh">
    /// Whether this is the first contribution: then the contents are undefined and every element must be set. Otherwise add.
    /// </param>
    public Tensor GradSink(out bool fresh)
    {
        fresh = Grad is null;
        if (Grad is null)
        {
            Grad = Owner is { } tape ? tape.Rent(Shape) : new Tensor(Shape);
        }
        else if (Grad.buffer is { Users: > 1 } shared)
        {
            // Another gradient is equal so far and uses the same memory: it keeps that, this one moves on to a copy.
            Tensor own = Grad.Owner!.Rent(Shape);
            Grad.CopyTo(own);
            Grad.buffer = null;
            shared.Users--;
            Grad = own;
        }

        return Grad;
    }

    /// <summary>
    /// Makes <paramref name="dy"/> the first contribution to the gradient without copying it: both use one memory until one of
    /// them is written to (see <see cref="GradSink()"/>). False if that is not possible.
    /// </summary>
    internal bool TryShareGradient(Tensor dy)
    {
        if (Grad is not null || Owner is null || dy.Owner != Owner || dy.sharesBuffer || dy.Length != Length)
        {
            return false;
        }

        Grad = Owner.RentShared(dy.Buffer, dy.offset, Shape);
        return true;
    }

    /// <summary>
    /// As <see cref="TryShareGradient"/>, where dx may be written over dy element by element: not if anybody else needs dy. For the op whose output's gradient
    /// it is, which goes no further.
    /// </summary>
    internal bool TryOverwriteGradient(Tensor dy) => dy.Buffer.Users == 1 && TryShareGradient(dy);

    /// <summary>A second handle on the same memory with another shape; no history (see <see cref="Op.Reshape"/>).</summary>
    internal void BecomeView(Tensor source, int start, Shape shape)
    {
        buffer = source.Buffer;
        offset = source.offset + start;
        sharesBuffer = true;
        Shape = shape;
    }

    internal void BecomeOwned(Tape tape, Shape shape, FloatBuffer? memory, int start = 0)
    {
        Owner = tape;
        Shape = shape;
        buffer = memory;
        offset = start;
        sharesBuffer = false;
        RequiresGrad = false;
        Grad = null;
    }

    /// <summary>Gives the memory back to the pool; later use of this handle throws until it is rented again.</summary>
    internal void Release(BufferPool pool)
    {
        if (buffer is not null && !sharesBuffer && --buffer.Users == 0)
        {
            pool.Return(buffer);
        }

        buffer = null;
        Grad = null;
        RequiresGrad = false;
    }

    [DoesNotReturn]
    private FloatBuffer Ended() => throw new ObjectDisposedException(
        nameof(Tensor),
        $"This tensor {Shape} belonged to a tape that has ended. Copy what is needed before the tape ends, or Clone() it.");

    /// <summary>Shape and first values, for debugging.</summary>
    public override string ToString() =>
        buffer is null ? $"Tensor{Shape} (ended)" : $"Tensor{Shape} {string.Join(", ", Span[..Math.Min(6, Length)].ToArray())}{(Length > 6 ? ", …" : "")}";
}
