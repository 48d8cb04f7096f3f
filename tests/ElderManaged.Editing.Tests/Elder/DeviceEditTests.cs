using ElderManaged.Editing.Elder;
using ElderManaged.Models;
using ElderManaged.Models.Generation;
using ElderManaged.Nn;
using ElderManaged.Tensors;
using ElderManaged.Testing;
using Device = ElderManaged.Tensors.Device;

namespace ElderManaged.Editing.Tests.Elder;

/// <summary>A batch of edits on a device is the batch of the processor: loss, LoRAs, scope and answers.</summary>
public sealed class DeviceEditTests
{
    [OpenCLFact]
    public void PaperBatchOnOpenCLIsTheProcessorsBatch() => SameBatch(TinyModels.NewGpt2, Paper(TinyModels.Gpt2), TestDevices.OpenCL!);

    [OpenCLFact]
    public void PaperBatchOfLlamaOnOpenCLIsTheProcessorsBatch() => SameBatch(TinyModels.NewLlama, Paper(TinyModels.Llama), TestDevices.OpenCL!);

    [OpenCLFact]
    public void DefaultBatchOnOpenCLIsTheProcessorsBatch() => SameBatch(TinyModels.NewGpt2, Default(TinyModels.Gpt2), TestDevices.OpenCL!);

    [OpenCLFact]
    public void DefaultBatchOfLlamaOnOpenCLIsTheProcessorsBatch() => SameBatch(TinyModels.NewLlama, Default(TinyModels.Llama), TestDevices.OpenCL!);

    [Fact]
    public void PaperBatchInPtxIsTheProcessorsBatch() => SameBatch(TinyModels.NewGpt2, Paper(TinyModels.Gpt2), TestDevices.Ptx);

    [Fact]
    public void DefaultBatchInPtxIsTheProcessorsBatch() => SameBatch(TinyModels.NewGpt2, Default(TinyModels.Gpt2), TestDevices.Ptx);

    [OpenCLFact]
    public void AnIterationOnOpenCLBringsBackLossesOnly()
    {
        ElderOptions options = ElderOptions.Paper(TinyModels.Gpt2) with { Seed = 1, Iterations = 4 };
        using Device device = TestDevices.NewOpenCL();
        DeviceTransfers Cost(int iterations)
        {
            ElderEditor editor = new(TinyModels.NewGpt2(device), options with { Iterations = iterations });
            DeviceTransfers before = device.Transfers;
            editor.Edit(TinyModels.Edits(1, 4));
            DeviceTransfers after = device.Transfers;
            return new DeviceTransfers(
                after.Uploads - before.Uploads, after.UploadedBytes - before.UploadedBytes, after.Downloads - before.Downloads, after.DownloadedBytes - before.DownloadedBytes);
        }

        (DeviceTransfers few, DeviceTransfers many) = (Cost(4), Cost(24));
        long bytes = (many.DownloadedBytes - few.DownloadedBytes) / 20;
        long layers = options.Layers.Count;
        Assert.InRange(bytes, 1, 1024 + (layers * 4 * options.ActiveCount * sizeof(int)));
    }

    // The rows of rehearsed edits were computed on the device and are packed there, others in each iteration.
    [OpenCLFact]
    public void ANewChoiceOfRehearsedEditsOnOpenCLBringsUpNumbersOfRowsOnly()
    {
        using Device device = TestDevices.NewOpenCL();
        TransformerModel model = TinyModels.NewGpt2(device);
        ElderOptions options = ElderOptions.Default(model) with { Seed = 1, Iterations = 12, EarlyStopProbability = null, RehearsedRows = 6 };
        ElderEditor editor = new(model, options);
        editor.Edit(TinyModels.Edits(1, 12));
        List<long> uploaded = [];
        editor.IterationDone = _ => uploaded.Add(device.Transfers.UploadedBytes);
        editor.Edit([.. TinyModels.Edits(2, 4).Select(edit => edit with { FactId = $"new {edit.FactId}" })]);
        long each = (uploaded[^1] - uploaded[2]) / (uploaded.Count - 3);
        LinearLayer layer = model.FeedForward(options.Layers[0], model.ElderSite);
        int row = sizeof(float) * (model.Width + layer.InFeatures + layer.OutFeatures);
        Assert.InRange(each, 1, 10 * row); // less than one row of each of the ten items, and they have several
    }

    private static ElderOptions Paper(TransformerModel model) => ElderOptions.Paper(model) with { LearningRate = 1e-2f, Epsilon = 2, Seed = 1, Iterations = 5 };

    private static ElderOptions Default(TransformerModel model) =>
        ElderOptions.Default(model) with { LearningRate = 1e-2f, Iterations = 5, LeadingSentences = [[3, 4, 5], [6, 7, 8, 9]], Seed = 1 };

    private static void SameBatch(Func<Device, TransformerModel> make, ElderOptions options, Device device)
    {
        EncodedEdit[] edits = TinyModels.Edits(1, 4);
        ElderEditor expected = new(make(Device.Cpu), options), found = new(make(device), options);
        EditBatchResult left = expected.Edit(edits), right = found.Edit(edits);
        Assert.Equal(left.Iterations, right.Iterations);
        Assert.InRange(Math.Abs(left.FinalLoss - right.FinalLoss) / left.FinalLoss, 0, 1e-4);
        foreach ((float[] a, float[] b) in expected.Mixture.CopyValues().Zip(found.Mixture.CopyValues()))
        {
            // Adam's first steps have the size of the rate whatever the gradient's size, so the weights may differ more than the loss.
            OpChecks.AssertClose(Array.ConvertAll(a, v => (double)v), b, 2e-3, "a tensor of the mixture");
        }

        int[][] prompts = [.. edits.Select(e => e.Prompt), [9, 8, 7, 6]];
        EditedPrompts one = expected.Current.Prepare(prompts), other = found.Current.Prepare(prompts);
        Assert.Equal(one.Scope.Select(s => s.InScope), other.Scope.Select(s => s.InScope));
        GenerationOptions generation = new() { MaxTokens = 4, IgnoreEnd = true };
        Assert.Equal(Generator.Generate(one, generation), Generator.Generate(other, generation));
    }
}
