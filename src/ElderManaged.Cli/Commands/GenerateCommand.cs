using System.CommandLine;
using System.Text.Json;
using ElderManaged.Editing;
using ElderManaged.Models.Generation;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Commands;

/// <summary><c>elder generate</c>: continues a text with the base model alone.</summary>
internal static class GenerateCommand
{
    public static Command Create(Terminal terminal, CancellationToken cancellationToken)
    {
        Argument<string> prompt = new("prompt") { Description = "The text to continue." };
        Option<string> model = Inputs.Model();
        Option<int> tokens = new("--max-tokens") { Description = "The most tokens to add.", DefaultValueFactory = _ => 32 };
        Option<float> temperature = new("--temperature") { Description = "0 takes the most likely token; above 0 draws, the higher the wilder." };
        Option<int> topK = new("--top-k") { Description = "Draw among so many most likely tokens; 0 for all." };
        Option<float> topP = new("--top-p") { Description = "Draw among the fewest tokens that together are this probable.", DefaultValueFactory = _ => 1f };
        Option<ulong> seed = Inputs.Seed();
        Option<bool> ignoreEnd = new("--ignore-end") { Description = "Go on past an end token." };
        Option<int> threads = Inputs.Threads();
        Option<string> device = Inputs.Device();
        Option<bool> tensorCores = Inputs.TensorCores();
        Option<bool> json = Inputs.Json();
        Command command = new("generate", "Continues a text with the base model, without any edits.")
        {
            prompt, model, tokens, temperature, topK, topP, seed, ignoreEnd, threads, device, tensorCores, json,
        };
        command.SetAction(parsed =>
        {
            Inputs.UseThreads(parsed.GetValue(threads));
            GenerationOptions options = new()
            {
                MaxTokens = Inputs.InRange("--max-tokens", parsed.GetValue(tokens), 1, int.MaxValue),
                Temperature = InRange("--temperature", parsed.GetValue(temperature), 0, 100),
                TopK = Inputs.InRange("--top-k", parsed.GetValue(topK), 0, int.MaxValue),
                TopP = InRange("--top-p", parsed.GetValue(topP), float.Epsilon, 1),
                Seed = parsed.GetValue(seed),
                IgnoreEnd = parsed.GetValue(ignoreEnd),
            };
            using Device computing = Inputs.OpenDevice(parsed.GetValue(device)!, parsed.GetValue(tensorCores), terminal);
            ElderModel loaded = Inputs.LoadModel(parsed.GetValue(model)!, terminal, computing, parsed.GetValue(json));
            PromptBatch batch = PromptBatch.OfBase(loaded.Transformer, [loaded.Encoder.EncodePrompt(parsed.GetValue(prompt)!)]);
            int[] ids = Generator.Generate(batch, options, cancellationToken: cancellationToken)[0];
            string text = loaded.Tokenizer.Decode(ids);
            terminal.Out.WriteLine(parsed.GetValue(json) ? JsonOutput.Write(writer => Write(writer, ids, text)) : text.Trim());
            return Program.Success;
        });
        return command;
    }

    private static void Write(Utf8JsonWriter json, int[] ids, string text)
    {
        json.WriteStartArray("ids");
        foreach (int id in ids)
        {
            json.WriteNumberValue(id);
        }

        json.WriteEndArray();
        json.WriteString("text", text);
    }

    private static float InRange(string option, float value, float least, float most) => value >= least && value <= most
        ? value
        : throw new UsageException($"{option} is {value}; it must be {(least > 0 ? "above 0 and at most" : "from 0 to")} {most}.");
}
