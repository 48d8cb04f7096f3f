using System.Diagnostics;
using ElderManaged.Models;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.WeightsBuilder.Training;

/// <summary>What one step found.</summary>
/// <param name="Step">The steps made so far.</param>
/// <param name="AnswerLoss">Mean cross-entropy of the answers' tokens.</param>
/// <param name="PromptLoss">Mean cross-entropy of the prompts' tokens.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="Tokens">Tokens in the step.</param>
/// <param name="Seconds">Wall-clock time of the step.</param>
public readonly record struct StepResult(int Step, float AnswerLoss, float PromptLoss, double GradientNorm, int Tokens, double Seconds);

/// <summary>
/// Trains a language model on documents, each a sequence of its own: packed without padding, never attending to one
/// another.
/// </summary>
public sealed class LanguageModelTrainer
{
    private readonly TrainingOptions options;
    private readonly DocumentStream stream;

    /// <summary>A trainer at step 0.</summary>
    public LanguageModelTrainer(TransformerModel model, DocumentStream stream, TrainingOptions options)
    {
        Model = model;
        this.stream = stream;
        this.options = options;
        Optimizer = new Adam(model.Parameters, new AdamOptions
        {
            LearningRate = options.LearningRate, Beta2 = 0.98f, WeightDecay = options.WeightDecay,
        });
    }

    /// <summary>The model in training.</summary>
    public TransformerModel Model { get; }

    /// <summary>Its optimiser.</summary>
    public Adam Optimizer { get; }

    /// <summary>Steps made.</summary>
    public int Step => Optimizer.Steps;

    /// <summary>Makes one step.</summary>
    public StepResult MakeStep()
    {
        long start = Stopwatch.GetTimestamp();
        List<TokenDocument> documents = stream.Take(options.TokensPerStep);

        // Row t of a document predicts token t + 1; the last token predicts nothing and is not run.
        SequenceLayout layout = new([.. documents.Select(d => d.Ids.Length - 1)]);
        int[] ids = new int[layout.Rows];
        List<int> answerRows = [], promptRows = [], answerTargets = [], promptTargets = [];
        for (int s = 0; s < documents.Count; s++)
        {
            (int[] document, int promptLength) = documents[s];
            document.AsSpan(0, document.Length - 1).CopyTo(ids.AsSpan(layout.Starts[s]));
            for (int t = 0; t < document.Length - 1; t++)
            {
                bool answer = t + 1 >= promptLength;
                (answer ? answerRows : promptRows).Add(layout.Starts[s] + t);
                (answer ? answerTargets : promptTargets).Add(document[t + 1]);
            }
        }

        float answerLoss, promptLoss;
        using (Tape tape = Tape.Start())
        {
            Tensor hidden = Model.Forward(ids, new ForwardContext(layout));
            Tensor answers = Op.CrossEntropy(Model.Logits(Op.GatherRows(hidden, [.. answerRows])), [.. answerTargets]);
            Tensor prompts = Op.CrossEntropy(Model.Logits(Op.GatherRows(hidden, [.. promptRows])), [.. promptTargets]);
            (answerLoss, promptLoss) = (answers.Value, prompts.Value);
            if (!float.IsFinite(answerLoss + promptLoss))
            {
                throw new InvalidOperationException($"Step {Step + 1}: the loss is {answerLoss} / {promptLoss}; lower the learning rate ({options.LearningRate}).");
            }

            tape.Backward(Op.Add(answers, Op.Scale(prompts, options.PromptLossWeight)));
        }

        double norm = Optimizer.GradientNorm();
        Optimizer.LearningRate = options.LearningRate * Schedules.WarmupCosine(Step, options.Steps, options.Warmup, options.FinalRate);
        Optimizer.Step((float)Math.Min(1, options.ClipNorm / norm));
        Optimizer.ZeroGrad();
        return new StepResult(Step, answerLoss, promptLoss, norm, layout.Rows, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    /// <summary>Where the document stream stands.</summary>
    public long Position => stream.Position;
}
