using ElderManaged.Tensors;
using Microsoft.ML.OnnxRuntime;

namespace ElderManaged.Benchmarks.Onnx;

/// <summary>
/// ONNX Runtime as the peer of a measurement: inputs and outputs are our own tensors, bound once, so that a run is charged with
/// nothing but its computation. Threads spin between runs as they do by default.
/// </summary>
internal sealed class OnnxPeer : IDisposable
{
    private readonly SessionOptions options;
    private readonly InferenceSession session;
    private readonly RunOptions run = new();
    private readonly List<OrtValue> values = [];
    private OrtIoBinding binding;

    public OnnxPeer(byte[] model, int threads)
    {
        options = new SessionOptions
        {
            IntraOpNumThreads = threads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        session = new InferenceSession(model, options);
        binding = session.CreateIoBinding();
    }

    /// <summary>Forgets bound tensors, for other sizes.</summary>
    public void Unbind()
    {
        binding.Dispose();
        foreach (OrtValue value in values)
        {
            value.Dispose();
        }

        values.Clear();
        binding = session.CreateIoBinding();
    }

    public void BindInput(string name, Tensor tensor) => binding.BindInput(name, Wrap(tensor));

    public void BindOutput(string name, Tensor tensor) => binding.BindOutput(name, Wrap(tensor));

    public void Run() => session.RunWithBinding(run, binding);

    public void Dispose()
    {
        binding.Dispose();
        foreach (OrtValue value in values)
        {
            value.Dispose();
        }

        run.Dispose();
        session.Dispose();
        options.Dispose();
    }

    private OrtValue Wrap(Tensor tensor)
    {
        long[] sizes = new long[tensor.Shape.Rank];
        for (int axis = 0; axis < sizes.Length; axis++)
        {
            sizes[axis] = tensor.Shape[axis];
        }

        OrtValue value = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, tensor.Memory, sizes);
        values.Add(value);
        return value;
    }
}
