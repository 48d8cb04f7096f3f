using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ElderManaged.Editing;
using ElderManaged.Tensors;

namespace ElderManaged.Cli.Commands;

/// <summary><c>elder ask</c>: what an edited model answers, and whether the edits had a part in it.</summary>
internal static class AskCommand
{
    public static Command Create(Terminal terminal, CancellationToken cancellationToken)
    {
        Argument<string> prompt = new("prompt") { Description = "The text to complete." };
        Option<string> model = Inputs.Model();
        Option<string> state = new("--state") { Description = "The folder that elder edit wrote.", Required = true };
        Option<int> tokens = new("--max-tokens") { Description = "The most tokens of the answer.", DefaultValueFactory = _ => 20 };
        Option<int> threads = Inputs.Threads();
        Option<string> device = Inputs.Device();
        Option<bool> tensorCores = Inputs.TensorCores();
        Option<bool> json = Inputs.Json();
        Command command = new("ask", "Answers a prompt from an edited state and says whether it was in scope.") { prompt, model, state, tokens, threads, device, tensorCores, json };
        command.SetAction(parsed =>
        {
            Inputs.UseThreads(parsed.GetValue(threads));
            int most = Inputs.InRange("--max-tokens", parsed.GetValue(tokens), 1, int.MaxValue);
            string asked = parsed.GetValue(prompt)!;
            using Device computing = Inputs.OpenDevice(parsed.GetValue(device)!, parsed.GetValue(tensorCores), terminal);
            ElderModel loaded = Inputs.LoadModelOfState(parsed.GetValue(model)!, terminal, computing, parsed.GetValue(json), cancellationToken);
            using EditorSession session = loaded.OpenSession(parsed.GetValue(state)!, cancellationToken);
            Answer answer = session.Ask(asked, most, cancellationToken);
            if (parsed.GetValue(json))
            {
                terminal.Out.WriteLine(JsonOutput.Write(writer => Write(writer, asked, answer)));
                return Program.Success;
            }

            terminal.Out.WriteLine(answer.Text);
            string evidence = double.IsNaN(answer.Evidence) ? "" : string.Create(CultureInfo.InvariantCulture, $", evidence {answer.Evidence:0.###}");
            terminal.Out.WriteLine(answer.InScope
                ? $"(in scope: {answer.FactId ?? "the edits act on every prompt"}{evidence})"
                : $"(out of scope: the base model's answer{evidence})");
            return Program.Success;
        });
        return command;
    }

    private static void Write(Utf8JsonWriter json, string prompt, Answer answer)
    {
        json.WriteString("prompt", prompt);
        json.WriteString("text", answer.Text);
        json.WriteBoolean("inScope", answer.InScope);
        json.WriteString("factId", answer.FactId);
        if (double.IsFinite(answer.Evidence))
        {
            json.WriteNumber("evidence", answer.Evidence);
        }
        else
        {
            json.WriteNull("evidence");
        }

        json.WriteBoolean("complete", answer.Complete);
    }
}
