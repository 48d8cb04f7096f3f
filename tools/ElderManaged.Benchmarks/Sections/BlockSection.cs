using ElderManaged.Benchmarks.Measuring;
using ElderManaged.Benchmarks.Onnx;
using ElderManaged.Benchmarks.Results;
using ElderManaged.Models;
using ElderManaged.Models.Gpt2;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Benchmarks.Sections;

/// <summary>One block of GPT-2, forward, against the same graph with the same weights in ONNX Runtime.</summary>
internal sealed class BlockSection : ISection
{
    private const int Width = 768, Heads = 12;
    private const double Tolerance = 1e-4;

    public string Name => "block";

    public TimeSpan Typical => TimeSpan.FromSeconds(6);

    public void Run(BenchmarkRun run)
    {
        ResultTable table = run.Table(
            "A block of GPT-2",
            $"Width {Width}, {Heads} heads, forward: our model's block against ONNX Runtime running the same graph with the same weights. The outputs agree to {Tolerance:0e+0} of the largest number before anything is timed.",
            "ONNX Runtime");
        (int Sequences, int Tokens)[] batches = [(1, 128), (4, 128)];
        run.Expect(run.Options.Threads.Count * batches.Length);
        Gpt2Config config = new()
        {
            VocabSize = 16, MaxPositions = 128, HiddenSize = Width, InnerSize = 4 * Width, LayerCount = 1, HeadCount = Heads, TieWordEmbeddings = true,
        };
        TransformerModel trainable = TransformerModel.CreateTrainable(config, seed: 1);
        ulong seed = 10;
        foreach (Parameter parameter in trainable.Parameters)
        {
            Numbers.Fill(parameter.Value.Span, seed++, parameter.Value.Shape.Rank > 1 ? 0.1f : 0.5f); // biases and gains too
        }

        TransformerModel model = Freeze(trainable);
        Dictionary<string, Tensor> weights = trainable.Parameters.ToDictionary(p => p.Name, p => p.Value);
        foreach (int threads in run.Options.Threads)
        {
            foreach ((int sequences, int tokens) in batches)
            {
                int rows = sequences * tokens;
                using OnnxPeer peer = new(Gpt2BlockGraph.Build(weights, sequences, tokens, Width, Heads), threads);
                int[] lengths = new int[sequences];
                Array.Fill(lengths, tokens);
                SequenceLayout layout = new(lengths);
                Tensor x = Numbers.Random(new Shape(rows, Width), 5), theirs = new(x.Shape);
                peer.BindInput("x", x);
                peer.BindOutput("y", theirs);
                peer.Run();
                CpuThreads.Count = threads;
                using (Tape tape = Tape.Start(record: false))
                {
                    Numbers.RequireSame("GPT-2 block", model.Block(0, x, new ForwardContext(layout)).Span, theirs.Span, Tolerance);
                }

                run.Measure(table, new Measurement($"GPT-2 block, forward, {sequences} × {tokens} tokens", threads, 0, 0, "tokens/s") { Kind = "GPT-2 block, forward" }, rows, () =>
                {
                    using Tape tape = Tape.Start(record: false);
                    model.Block(0, x, new ForwardContext(layout));
                }, peer.Run);
            }
        }
    }

    // A frozen model, which is what an editor runs, comes from a checkpoint.
    private static TransformerModel Freeze(TransformerModel trainable)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("elder-benchmark-");
        try
        {
            trainable.Save(folder.FullName);
            return TransformerModel.Load(folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
