using System.Diagnostics;
using ElderManaged.Models;
using ElderManaged.Models.Generation;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Bench;

/// <summary>What generating cost; times in seconds.</summary>
/// <param name="Prompt">The pass over the prompt.</param>
/// <param name="Token">One new token, the median.</param>
/// <param name="TokenProducts">The products with frozen weights of one token, done again with nothing around them.</param>
/// <param name="WeightBytes">Stored bytes of weights that one token reads.</param>
/// <param name="Bandwidth">Bytes a second that plain reading reaches with as many threads.</param>
/// <param name="AllocatedPerToken">Managed bytes.</param>
internal sealed record GenerateBenchResult(double Prompt, double Token, double TokenProducts, double WeightBytes, double Bandwidth, long AllocatedPerToken)
{
    /// <summary>The time of a token over the time of reading the weights once.</summary>
    public double Ratio => Token / (WeightBytes / Bandwidth);
}

/// <summary>Times the pass over a made-up prompt and the tokens after it.</summary>
internal static class GenerateBench
{
    private const int MostRounds = 3, WarmUpTokens = 8;

    // Once they took so long there are no more rounds.
    private static readonly TimeSpan Enough = TimeSpan.FromSeconds(5);

    public static GenerateBenchResult Run(
        TransformerModel model, int promptTokens, int tokens, Action<string> progress, CancellationToken cancellationToken)
    {
        RandomSource random = new(7);
        int[] prompt = new int[promptTokens];
        for (int i = 0; i < prompt.Length; i++)
        {
            prompt[i] = random.Next(model.Config.VocabSize);
        }

        progress("warming up");
        PromptBatch batch = PromptBatch.OfBase(model, [prompt]);
        ProductLog log;
        using (log = ProductLog.Start())
        {
            Generator.Generate(batch, new GenerationOptions { MaxTokens = 1, IgnoreEnd = true }, cancellationToken: cancellationToken);
        }

        bool alone = model.Device == Device.Cpu; // products are noted, and memory is read, on the processor only
        double weightBytes = !alone ? double.NaN : log.Matrices.Sum(m => (double)m.Numbers.ByteCount((long)m.OutFeatures * m.InFeatures));
        Statistics.WarmUp(() => Generator.Generate(batch, new GenerationOptions { MaxTokens = WarmUpTokens, IgnoreEnd = true }, cancellationToken: cancellationToken));

        ReadBandwidth? reading = alone ? new(weightBytes) : null;
        List<double> prompts = [], each = [], products = [], allocated = [], bandwidths = [];
        if (reading is not null)
        {
            bandwidths.Add(reading.Measure()); // before and after each round
        }

        long begin = Stopwatch.GetTimestamp();
        for (int round = 0; round == 0 || (round < MostRounds && Stopwatch.GetElapsedTime(begin) < Enough); round++)
        {
            progress($"round {round + 1}, of {MostRounds} at most");
            long start = Stopwatch.GetTimestamp();
            batch = PromptBatch.OfBase(model, [prompt]);
            prompts.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);

            double[] seconds = new double[tokens];
            long[] bytes = new long[tokens];
            int done = 0;
            long time = Stopwatch.GetTimestamp(), before = GC.GetAllocatedBytesForCurrentThread();
            Generator.Generate(
                batch,
                new GenerationOptions { MaxTokens = tokens, IgnoreEnd = true },
                (_, _) =>
                {
                    seconds[done] = Stopwatch.GetElapsedTime(time).TotalSeconds;
                    bytes[done++] = GC.GetAllocatedBytesForCurrentThread() - before;
                    before = GC.GetAllocatedBytesForCurrentThread();
                    time = Stopwatch.GetTimestamp();
                },
                cancellationToken);

            // The first also sets up the loop.
            each.AddRange(seconds.Skip(1).Take(done - 1));
            allocated.AddRange(bytes.Skip(1).Take(done - 1).Select(b => (double)b));
            if (alone)
            {
                products.Add(Statistics.MedianSeconds(log.Replay));
                bandwidths.Add(reading!.Measure());
            }
        }

        return new GenerateBenchResult(
            Statistics.Median(prompts), Statistics.Median(each), Statistics.Median(products), weightBytes, Statistics.Median(bandwidths),
            (long)Statistics.Median(allocated));
    }
}
