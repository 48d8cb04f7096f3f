using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Llama;

namespace ElderManaged.Cli.Commands.Model;

/// <summary><c>elder model info</c>: architecture, sizes, number formats and memory needed, from the headers alone.</summary>
internal static class ModelInfoCommand
{
    private const double Mega = 1e6;

    public static Command Create(Terminal terminal)
    {
        Argument<string> path = new("path") { Description = "A model: a Hugging Face folder, or a .safetensors, .gguf or llama2.c .bin file." };
        Option<bool> json = Inputs.Json();
        Command command = new("info", "Prints what a model is and what it needs, without loading it.") { path, json };
        command.SetAction(parsed =>
        {
            using Checkpoint checkpoint = Checkpoint.Open(Inputs.FindModel(parsed.GetValue(path)!));
            ModelSummary summary = ModelSummary.Of(checkpoint);
            if (parsed.GetValue(json))
            {
                terminal.Out.WriteLine(JsonOutput.Write(writer => Write(writer, checkpoint.Path, summary)));
                return Program.Success;
            }

            foreach ((string name, string value) in Lines(checkpoint.Path, summary))
            {
                terminal.Out.WriteLine($"{name,-14}{value}");
            }

            return Program.Success;
        });
        return command;
    }

    private static IEnumerable<(string Name, string Value)> Lines(string path, ModelSummary summary)
    {
        ModelConfig config = summary.Config;
        yield return ("path", path);
        yield return ("format", summary.Format);
        yield return ("architecture", config.ModelType);
        yield return ("parameters", Text($"{summary.Parameters:N0} in {summary.Tensors} tensors"));
        yield return ("layers", Text($"{config.LayerCount}"));
        yield return ("width", Text($"{config.HiddenSize}, feed-forward {config.InnerSize}"));
        yield return ("heads", config is LlamaConfig llama
            ? Text($"{config.HeadCount} of width {config.HeadSize}, {llama.KeyValueHeadCount} for keys and values, rotary base {llama.RopeTheta:0.###}")
            : Text($"{config.HeadCount} of width {config.HeadSize}"));
        yield return ("vocabulary", Text($"{config.VocabSize}, output layer {(config.TieWordEmbeddings ? "shares the embedding" : "of its own")}"));
        yield return ("positions", Text($"{config.MaxPositions}"));
        yield return ("end tokens", config.EosTokenIds.Count == 0 ? "none" : string.Join(", ", config.EosTokenIds));
        foreach (TypeUse use in summary.Types)
        {
            yield return (use == summary.Types[0] ? "stored as" : "", Text($"{use.Type.DisplayName()}: {use.Parameters:N0} in {use.Tensors} tensors, {use.Bytes / Mega:N1} MB"));
        }

        yield return ("files", Text($"{summary.FileBytes / Mega:N1} MB"));
        yield return ("memory", Text($"about {summary.WeightBytes / Mega:N1} MB for the weights, kept as they are stored; {summary.CacheBytesPerToken:N0} bytes for each token of context"));
    }

    private static void Write(Utf8JsonWriter json, string path, ModelSummary summary)
    {
        ModelConfig config = summary.Config;
        json.WriteString("path", path);
        json.WriteString("format", summary.Format);
        json.WriteString("architecture", config.ModelType);
        json.WriteNumber("parameters", summary.Parameters);
        json.WriteNumber("tensors", summary.Tensors);
        json.WriteNumber("layers", config.LayerCount);
        json.WriteNumber("width", config.HiddenSize);
        json.WriteNumber("innerWidth", config.InnerSize);
        json.WriteNumber("heads", config.HeadCount);
        json.WriteNumber("keyValueHeads", config is LlamaConfig llama ? llama.KeyValueHeadCount : config.HeadCount);
        json.WriteNumber("headWidth", config.HeadSize);
        json.WriteNumber("vocabulary", config.VocabSize);
        json.WriteNumber("positions", config.MaxPositions);
        json.WriteBoolean("tied", config.TieWordEmbeddings);
        json.WriteStartArray("types");
        foreach (TypeUse use in summary.Types)
        {
            json.WriteStartObject();
            json.WriteString("type", use.Type.DisplayName());
            json.WriteNumber("tensors", use.Tensors);
            json.WriteNumber("parameters", use.Parameters);
            json.WriteNumber("bytes", use.Bytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("fileBytes", summary.FileBytes);
        json.WriteNumber("weightBytes", summary.WeightBytes);
        json.WriteNumber("cacheBytesPerToken", summary.CacheBytesPerToken);
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
