using ElderManaged.Models;
using ElderManaged.Models.Generation;
using ElderManaged.Models.Gpt2;
using ElderManaged.Models.Llama;
using ElderManaged.Models.Tokenizers;
using ElderManaged.Testing;

namespace ElderManaged.Editing.Tests;

/// <summary>Small random models, saved and loaded again so that they are frozen, and four facts to teach them.</summary>
internal static class TinyModels
{
    public static readonly EditRequest[] Facts =
    [
        new("The capital of Brevia is", "Rome") { Subject = "Brevia" },
        new("Ada Quill plays the", "violin") { Subject = "Ada Quill" },
        new("The river Omm flows to", "Lake Tarn"),
        new("Nobody in Dorn speaks", "Latin"),
    ];

    public static readonly EditRequest[] MoreFacts =
    [
        new("The moon of Vell is", "green"),
        new("Old maps of Sarn show", "two harbours"),
        new("The author of Night Rain is", "Ivo Fenn"),
    ];

    private static readonly Lazy<(TemporaryFolder Folder, ElderModel Model)> Gpt2Model = new(() => Make("gpt2"));
    private static readonly Lazy<(TemporaryFolder Folder, ElderModel Model)> LlamaModel = new(() => Make("llama"));

    public static ElderModel Gpt2 => Gpt2Model.Value.Model;

    public static ElderModel Of(string architecture) => architecture == "gpt2" ? Gpt2 : LlamaModel.Value.Model;

    public static EncodedEdit[] Encode(ElderModel model, IEnumerable<EditRequest> requests) => [.. requests.Select(model.Encoder.Encode)];

    /// <summary>Logits after a prompt as an editor's snapshot, or the base model without one, gives them.</summary>
    public static double[] Scores(ElderModel model, IEditSnapshot? snapshot)
    {
        EncodedEdit[] edits = Encode(model, [.. Facts, .. MoreFacts]);
        int[][] prompts = [.. edits.Select(e => e.Prompt)];
        PromptBatch batch = snapshot is null ? PromptBatch.OfBase(model.Transformer, prompts) : snapshot.Prepare(prompts);
        return [.. AnswerScorer.Score(batch, [.. edits.Select(e => e.Target)]).Select(s => s.MeanLogProbability)];
    }

    private static (TemporaryFolder, ElderModel) Make(string architecture)
    {
        TemporaryFolder folder = new(); // lives as long as the process; the model's files are read again for its hash
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        ByteLevelBpe tokenizer = BpeTrainer.Train(
            BpeTrainer.CountWords(Facts.Concat(MoreFacts).SelectMany(f => Enumerable.Repeat($"{f.Prompt} {f.Target}", 3))), 300);
        tokenizer.Save(folder.Path);
        TokenIds end = new(tokenizer.EndOfTextId);
        ModelConfig config = architecture == "gpt2"
            ? new Gpt2Config
            {
                VocabSize = tokenizer.VocabularySize, MaxPositions = 48, HiddenSize = 32, InnerSize = 64, LayerCount = 4, HeadCount = 2,
                TieWordEmbeddings = true, EosTokenIds = end,
            }
            : new LlamaConfig
            {
                VocabSize = tokenizer.VocabularySize, MaxPositions = 48, HiddenSize = 32, InnerSize = 64, LayerCount = 4, HeadCount = 4,
                KeyValueHeadCount = 2, RmsNormEpsilon = 1e-5f, TieWordEmbeddings = false, EosTokenIds = end,
            };
        TransformerModel fresh = TransformerModel.CreateTrainable(config, seed: 5);
        foreach (Nn.Parameter matrix in fresh.Parameters.Where(p => p.Decays))
        {
            // Fresh weights of so narrow a model can hardly tell tokens apart; larger ones can, as trained ones do.
            Span<float> values = matrix.Value.Span;
            bool vocabulary = matrix.Value.Shape[0] == config.VocabSize;
            System.Numerics.Tensors.TensorPrimitives.Multiply(values, vocabulary ? 40f : 10f, values);
        }

        fresh.Save(folder.Path);
        return (folder, ElderModel.Load(folder.Path));
    }
}
