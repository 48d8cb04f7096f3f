using ElderManaged.Models.Generation;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;
using ElderManaged.Models.Tests.Generation;
using ElderManaged.Nn;
using ElderManaged.Tensors;
using ElderManaged.Testing;
using Device = ElderManaged.Tensors.Device;

namespace ElderManaged.Models.Tests.Devices;

/// <summary>Complete small models on a device give the processor's numbers: forward, every gradient, and generation.</summary>
public sealed class DeviceModelTests
{
    private const double Tolerance = 1e-4;

    private static readonly ModelConfig[] Configs =
    [
        new Gpt2Config
        {
            VocabSize = 97, MaxPositions = 40, HiddenSize = 48, InnerSize = 104, LayerCount = 3, HeadCount = 3,
            TieWordEmbeddings = true, EosTokenIds = new TokenIds(96),
        },
        new LlamaConfig
        {
            VocabSize = 89, MaxPositions = 40, HiddenSize = 64, InnerSize = 136, LayerCount = 2, HeadCount = 4, KeyValueHeadCount = 2,
            RmsNormEpsilon = 1e-5f, TieWordEmbeddings = false, EosTokenIds = new TokenIds(88),
        },
    ];

    [OpenCLFact]
    public void Gpt2OnOpenCLHasTheProcessorsLossAndGradients() => SameLossAndGradients(Configs[0], TestDevices.OpenCL!);

    [OpenCLFact]
    public void LlamaOnOpenCLHasTheProcessorsLossAndGradients() => SameLossAndGradients(Configs[1], TestDevices.OpenCL!);

    [OpenCLFact]
    public void Gpt2OnOpenCLGeneratesTheProcessorsTokens() => SameTokens(Configs[0], TestDevices.OpenCL!);

    [OpenCLFact]
    public void LlamaOnOpenCLGeneratesTheProcessorsTokens() => SameTokens(Configs[1], TestDevices.OpenCL!);

    [Fact]
    public void Gpt2InPtxHasTheProcessorsLossAndGradients() => SameLossAndGradients(Configs[0], TestDevices.Ptx);

    [Fact]
    public void LlamaInPtxHasTheProcessorsLossAndGradients() => SameLossAndGradients(Configs[1], TestDevices.Ptx);

    [Fact]
    public void LlamaInPtxGeneratesTheProcessorsTokens() => SameTokens(Configs[1], TestDevices.Ptx);

    // Activations of 16 bits have about three digits.
    [Fact]
    public void HalfWeightsOnTensorCoresHaveNearlyTheProcessorsLogits()
    {
        float[] Logits(Device device)
        {
            TransformerModel model = TransformerModel.CreateFrozen(Configs[1], seed: 3, StoredNumbers.Float16);
            model.MoveTo(device);
            using Tape tape = Tape.Start(record: false);
            int[] ids = [.. Enumerable.Range(0, 29).Select(i => i * 13 % 83)];
            return model.Logits(model.Forward(ids, new ForwardContext(new SequenceLayout([11, 18])))).ReadOnlySpan.ToArray();
        }

        float[] expected = Logits(Device.Cpu), ordinary = Logits(TestDevices.Ptx), found = Logits(TestDevices.PtxWithTensorCores);
        OpChecks.AssertClose(Array.ConvertAll(expected, v => (double)v), ordinary, 1e-5, "logits");
        OpChecks.AssertClose(Array.ConvertAll(expected, v => (double)v), found, 5e-3, "logits of tensor cores");
        Assert.NotEqual(ordinary, found);
    }

    // On a thread of its own, whose tapes are new: the pools of others hold what other tests needed, and let it go at some time.
    [OpenCLFact]
    public Task AForwardPassOnOpenCLBringsNothingBackAndASteadyLoopTakesNoMoreMemory() =>
        Task.Factory.StartNew(SteadyPasses, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static void SteadyPasses()
    {
        // Of its own: other tests take memory of the common one meanwhile.
        using Device device = TestDevices.NewOpenCL();
        TransformerModel model = TransformerModel.CreateFrozen(Configs[1], seed: 3);
        model.MoveTo(device);
        int[] ids = [.. Enumerable.Range(0, 23).Select(i => i * 7 % 80)];
        SequenceLayout layout = new([10, 13]);
        void Pass()
        {
            using Tape tape = Tape.Start(record: false);
            Tensor logits = model.Logits(model.Forward(ids, new ForwardContext(layout)));
            Assert.Same(device, logits.Device);
        }

        Pass();
        Pass();
        device.Synchronize();
        (long held, DeviceTransfers before) = (device.AllocatedBytes, device.Transfers);
        for (int i = 0; i < 1000; i++)
        {
            Pass();
        }

        device.Synchronize();
        Assert.Equal(before.Downloads, device.Transfers.Downloads);
        Assert.InRange(device.AllocatedBytes, 1, held);
    }

    [OpenCLFact]
    public Task AGeneratedTokenOfGpt2OnOpenCLAllocatesNothing() => GeneratedTokensAllocateNothing(Configs[0]);

    [OpenCLFact]
    public Task AGeneratedTokenOfLlamaOnOpenCLAllocatesNothing() => GeneratedTokensAllocateNothing(Configs[1]);

    private static Task GeneratedTokensAllocateNothing(ModelConfig config) => Task.Factory.StartNew(
        () =>
        {
            using Device device = TestDevices.NewOpenCL();
            TransformerModel model = TransformerModel.CreateFrozen(config, seed: 3);
            model.MoveTo(device);
            Assert.Equal(0, GenerationAllocation.Least(model));
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

    // Forward, backward and a step of Adam: nothing is allocated on the host, and the device's memory is that of the first steps.
    [OpenCLFact]
    public Task AThousandTrainingStepsOnOpenCLAllocateNothing() =>
        Task.Factory.StartNew(TrainingSteps, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static void TrainingSteps()
    {
        using Device device = TestDevices.NewOpenCL();
        Gpt2Config small = ((Gpt2Config)Configs[0]) with { VocabSize = 31, HiddenSize = 16, InnerSize = 32, LayerCount = 1, HeadCount = 2, EosTokenIds = new TokenIds(30) };
        TransformerModel model = TransformerModel.CreateTrainable(small, seed: 5);
        model.MoveTo(device);
        Adam adam = new(model.Parameters, new AdamOptions { LearningRate = 1e-3f });
        int[] ids = [.. Enumerable.Range(0, 9).Select(i => i * 7 % 30)];
        int[] targets = [.. ids.Skip(1), Op.IgnoredTarget];
        ForwardContext context = new(new SequenceLayout([4, 5]));
        float loss = 0;
        void Step()
        {
            using Tape tape = Tape.Start();
            adam.ZeroGrad();
            Tensor mean = Op.CrossEntropy(model.Logits(model.Forward(ids, context)), targets);
            tape.Backward(mean);
            adam.Step();
            loss = mean.Value;
        }

        Step();
        float first = loss;
        AllocationCheck.AllocatesNothing(Step);
        device.Synchronize();
        long held = device.AllocatedBytes;
        for (int i = 0; i < 1000; i++)
        {
            Step();
        }

        Assert.Equal(held, device.AllocatedBytes);
        Assert.InRange(loss, 0, first / 2);
    }

    private static void SameLossAndGradients(ModelConfig config, Device device)
    {
        (float expectedLoss, Dictionary<string, float[]> expected) = Train(config, Device.Cpu);
        (float loss, Dictionary<string, float[]> found) = Train(config, device);
        Assert.InRange(Math.Abs(loss - expectedLoss) / expectedLoss, 0, Tolerance);
        foreach ((string name, float[] gradient) in expected)
        {
            OpChecks.AssertClose(Array.ConvertAll(gradient, g => (double)g), found[name], Tolerance, name);
        }
    }

    private static (float Loss, Dictionary<string, float[]> Gradients) Train(ModelConfig config, Device device)
    {
        TransformerModel model = TransformerModel.CreateTrainable(config, seed: 7);
        model.MoveTo(device);
        int[] ids = [.. Enumerable.Range(0, 29).Select(i => i * 13 % 83)];
        int[] targets = [.. ids.Skip(1), Op.IgnoredTarget];
        using Tape tape = Tape.Start();
        Tensor logits = model.Logits(model.Forward(ids, new ForwardContext(new SequenceLayout([11, 18]))));
        Tensor loss = Op.CrossEntropy(logits, targets);
        Assert.Equal(device, logits.Device);
        tape.Backward(loss);
        foreach (Parameter parameter in model.Parameters)
        {
            Assert.True(parameter.Value.Grad is null || parameter.Value.Grad.Device == device, $"The gradient of {parameter.Name} is on {parameter.Value.Grad?.Device}.");
        }

        return (loss.Value, model.Parameters.Where(p => p.Value.Grad is not null).ToDictionary(p => p.Name, p => p.Value.Grad!.ReadOnlySpan.ToArray()));
    }

    private static void SameTokens(ModelConfig config, Device device)
    {
        int[][] prompts = [[1, 2, 3, 4, 5], [7, 8], [60, 50, 40, 30]];
        GenerationOptions options = new() { MaxTokens = 12, IgnoreEnd = true };
        int[][] Generate(Device on)
        {
            TransformerModel model = TransformerModel.CreateFrozen(config, seed: 3);
            model.MoveTo(on);
            return Generator.Generate(PromptBatch.OfBase(model, prompts), options);
        }

        Assert.Equal(Generate(Device.Cpu), Generate(device));
    }
}
