using ILGPU;
using ILGPU.Runtime;

namespace ElderManaged.Tensors;

/// <summary>
/// One opened GPU: its stream of work, its memory and its compiled kernels. Work is asked for in order and done in that order;
/// only reading numbers back waits for it.
/// </summary>
/// <remarks>Safe to use from several threads: what they ask for is put into one order.</remarks>
internal class GpuDevice : Device
{
    private static int s_opened;

    private readonly GpuMemoryPool pool;
    private readonly ThreadLocal<GpuIndexRing> indices;
    private DeviceTransfers transfers;
    private bool disposed;
    private readonly Dictionary<int, KeyValuePages> keysAndValues = []; // by width
    private GpuMemory? scratch;

    public GpuDevice(Accelerator accelerator, DeviceReport report)
    {
        Accelerator = accelerator;
        Report = report;
        Number = Interlocked.Increment(ref s_opened) - 1;
        pool = new GpuMemoryPool(this);
        Uploads = new GpuUploads(this);
        Staging = new GpuStaging(this);
        indices = new ThreadLocal<GpuIndexRing>(() => new GpuIndexRing(this), trackAllValues: true);
    }

    public Accelerator Accelerator { get; }

    /// <summary>Counts opened devices: kernels keep what was compiled for each in a slot of this number.</summary>
    public int Number { get; }

    /// <summary>Brings weights here beside other work.</summary>
    public GpuUploads Uploads { get; }

    /// <summary>Copies between host and device.</summary>
    public GpuStaging Staging { get; }

    public override DeviceReport Report { get; }

    /// <summary>Whether products of many rows with frozen weights take tensor cores; they must be there.</summary>
    public bool TensorCores { get; init; }

    /// <summary>Measures which kernels are fastest here; without it, a count decides.</summary>
    public GpuTuner? Tuner { get; set; }

    public override long AllocatedBytes => pool.AllocatedBytes;

    /// <summary>Held while the driver is asked for something; ILGPU and OpenCL's kernel objects are not safe for several threads.</summary>
    public object Gate { get; } = new();

    public override DeviceTransfers Transfers
    {
        get
        {
            lock (Gate)
            {
                return transfers;
            }
        }
    }

    /// <summary>The numbers of a tensor, brought here if they are not, to be read by a kernel.</summary>
    public ArrayView<float> Read(Tensor tensor) => View(tensor, writes: false, overwrites: false);

    /// <summary>The room of a tensor, of which a kernel sets every element.</summary>
    public ArrayView<float> Write(Tensor tensor) => View(tensor, writes: true, overwrites: true);

    /// <summary>The numbers of a tensor, brought here if they are not, to be read and changed by a kernel.</summary>
    public ArrayView<float> Update(Tensor tensor) => View(tensor, writes: true, overwrites: false);

    /// <summary>The gradient of a tensor as a kernel adds to it, or sets it where <paramref name="fresh"/>.</summary>
    public ArrayView<float> Sink(Tensor gradient, bool fresh) => View(gradient, writes: true, overwrites: fresh);

    /// <summary>The gradient of a tensor as a kernel adds to some of it: zeros where nothing flowed there before.</summary>
    public ArrayView<float> AddingSink(Tensor tensor)
    {
        ArrayView<float> view = Sink(tensor.GradSink(out bool fresh), fresh);
        if (fresh)
        {
            Clear(view);
        }

        return view;
    }

    /// <summary>Brings row numbers, positions and the like here; valid for work that this thread asks for next.</summary>
    public ArrayView<int> Indices(ReadOnlySpan<int> values) => indices.Value!.Upload(values);

    /// <summary>Memory of its own, such as a weight's; returned when nothing refers to it.</summary>
    public GpuMemory AllocateBytes(long bytes) => pool.Rent(bytes);

    /// <summary>Memory that nothing was asked for before: to be written by a stream that does not wait for other work.</summary>
    public GpuMemory AllocateNew(long bytes) => pool.Rent(bytes, reuse: false);

    /// <summary>
    /// Memory for numbers that one kernel leaves for the next. Hold <see cref="Gate"/> until the last of them has been asked for:
    /// others may use it then, since work is done in order.
    /// </summary>
    public ArrayView<float> Scratch(long bytes)
    {
        if (scratch is null || scratch.Bytes.Length < bytes)
        {
            scratch?.Free();
            scratch = null;
            scratch = AllocateBytes(bytes);
        }

        return scratch.Floats;
    }

    /// <summary>The pages of all keys and values of one width.</summary>
    public KeyValuePages KeysAndValues(int width)
    {
        lock (Gate)
        {
            if (!keysAndValues.TryGetValue(width, out KeyValuePages? pages))
            {
                keysAndValues[width] = pages = new KeyValuePages(this, width);
            }

            return pages;
        }
    }

    internal override DeviceMemory Allocate(int length) => pool.Rent(sizeof(float) * (long)length);

    /// <summary>Sets memory to zero bytes.</summary>
    public void Clear(ArrayView<float> view)
    {
        lock (Gate)
        {
            try
            {
                view.MemSetToZero(Bound().DefaultStream);
            }
            catch (AcceleratorException failure)
            {
                throw Lost("clear memory", failure);
            }
        }
    }

    /// <summary>Copies within the device.</summary>
    public void Copy(ArrayView<float> from, ArrayView<float> to)
    {
        lock (Gate)
        {
            try
            {
                to.CopyFrom(Bound().DefaultStream, from);
            }
            catch (AcceleratorException failure)
            {
                throw Lost("copy memory", failure);
            }
        }
    }

    public override void Synchronize()
    {
        lock (Gate)
        {
            try
            {
                Bound().DefaultStream.Synchronize();
            }
            catch (AcceleratorException failure)
            {
                throw Lost("finish its work", failure);
            }
        }
    }

    /// <summary>The accelerator, current on this thread. Call while holding <see cref="Gate"/>.</summary>
    public Accelerator Bound()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (Failure is { } failure)
        {
            throw failure;
        }

        Accelerator.Bind();
        return Accelerator;
    }

    /// <summary>What the driver answers from now on, as if the device had been lost; for tests.</summary>
    public AcceleratorException? Failure { get; set; }

    /// <summary>Compiles a kernel for this device. Call while holding <see cref="Gate"/>.</summary>
    protected internal virtual Action<AcceleratorStream, KernelConfig, TArguments> Load<TArguments>(Action<TArguments> body)
        where TArguments : struct => Accelerator.LoadKernel(body);

    /// <summary>Copies to the device. Call while holding <see cref="Gate"/>.</summary>
    public void CountUpload(long bytes) =>
        transfers = transfers with { Uploads = transfers.Uploads + 1, UploadedBytes = transfers.UploadedBytes + bytes };

    /// <summary>Copies from the device. Call while holding <see cref="Gate"/>.</summary>
    public void CountDownload(long bytes) =>
        transfers = transfers with { Downloads = transfers.Downloads + 1, DownloadedBytes = transfers.DownloadedBytes + bytes };

    /// <summary>What to say when the driver failed while it should do something.</summary>
    public DeviceException Lost(string what, Exception failure) => new(
        $"The device {Report.Name} could not {what}: {failure.Message} It may have been lost or reset; what was acknowledged is in the journal. " +
        $"Start again, with --device {DeviceKinds.Cpu} if it happens once more.",
        failure);

    protected override void Dispose(bool disposing)
    {
        Uploads.Stop();
        lock (Gate)
        {
            if (!disposed)
            {
                disposed = true;
                indices.Dispose();
                Staging.Dispose();
                Accelerator.Dispose(); // with all of its buffers and kernels
            }
        }

        base.Dispose(disposing);
    }

    private ArrayView<float> View(Tensor tensor, bool writes, bool overwrites)
    {
        GpuMemory memory = (GpuMemory)tensor.OnDevice(this, writes, overwrites, out int start);
        return memory.Floats.SubView(start, tensor.Length);
    }
}
