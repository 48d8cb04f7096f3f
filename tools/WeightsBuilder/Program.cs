using System.CommandLine;
using ElderManaged.Tensors;
using ElderManaged.WeightsBuilder;
using ElderManaged.WeightsBuilder.Training;

// Builds weights/elder-tiny from nothing: an invented world, a tokenizer, and a GPT-2 trained to know that world.
// Same command, same seed, same bits.
TrainingOptions defaults = new();
Option<DirectoryInfo> output = new("--out") { Description = "Where the model goes.", DefaultValueFactory = _ => new DirectoryInfo("weights/elder-tiny") };
Option<DirectoryInfo> work = new("--work") { Description = "Where checkpoints are kept while training.", DefaultValueFactory = _ => new DirectoryInfo("artifacts/elder-tiny") };
Option<ulong> seed = new("--seed") { Description = "Of the world, the first weights and the order of documents.", DefaultValueFactory = _ => defaults.Seed };
Option<int> steps = new("--steps") { Description = "Optimiser steps.", DefaultValueFactory = _ => defaults.Steps };
Option<int> tokens = new("--tokens") { Description = "Tokens in a step.", DefaultValueFactory = _ => defaults.TokensPerStep };
Option<float> rate = new("--lr") { Description = "Peak learning rate.", DefaultValueFactory = _ => defaults.LearningRate };
Option<int> threads = new("--threads") { Description = "Threads; the bits do not depend on it.", DefaultValueFactory = _ => Environment.ProcessorCount };
Option<bool> resume = new("--resume") { Description = "Go on from the last checkpoint." };
Option<int> stopAfter = new("--stop-after") { Description = "Stop (with a checkpoint) at this step, to go on later with --resume.", DefaultValueFactory = _ => int.MaxValue };

RootCommand root = new("Makes the world, the tokenizer and the weights of the base model that ships with ElderManaged.")
{
    output, work, seed, steps, tokens, rate, threads, resume, stopAfter,
};
root.SetAction((parse, cancellation) =>
{
    CpuThreads.Count = parse.GetValue(threads);
    return Task.FromResult(new Build(parse.GetValue(output)!.FullName, parse.GetValue(work)!.FullName)
    {
        Training = new()
        {
            Seed = parse.GetValue(seed), Steps = parse.GetValue(steps), TokensPerStep = parse.GetValue(tokens),
            LearningRate = parse.GetValue(rate),
        },
        Resume = parse.GetValue(resume),
        StopAfter = parse.GetValue(stopAfter),
    }.Run(cancellation));
});

Command exam = new("exam", "Asks the finished model in --out all facts in all wordings and the test splits of all tasks, and writes the scores to its card.")
{
    output, seed, steps,
};
exam.SetAction(parse => Build.Examine(
    parse.GetValue(output)!.FullName,
    $"dotnet run -c Release --project tools/WeightsBuilder -- --seed {parse.GetValue(seed)} --steps {parse.GetValue(steps)}"));
root.Subcommands.Add(exam);
return await root.Parse(args).InvokeAsync().ConfigureAwait(false);
