using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using ElderManaged.Evaluation.Harness;

namespace ElderManaged.Evaluation.Reports;

/// <summary>The figures of an experiment as one JSON object.</summary>
public static class ResultJson
{
    // Shares of a few hundred answers have no more digits than this.
    private const int Digits = 6;

    /// <summary>Writes the object; figures that a method does not have are null.</summary>
    /// <param name="result">The figures.</param>
    /// <param name="state">The folder of the saved state, named after the figures when given.</param>
    public static string Write(ExperimentResult result, string? state = null)
    {
        ArgumentNullException.ThrowIfNull(result);
        using MemoryStream buffer = new();
        JsonWriterOptions options = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (Utf8JsonWriter json = new(buffer, options))
        {
            json.WriteStartObject();
            json.WriteNumber("edits", result.Edits);
            json.WriteNumber("facts", result.Facts);
            json.WriteStartArray("methods");
            foreach (MethodResult method in result.Methods)
            {
                Write(json, method);
            }

            json.WriteEndArray();
            if (result.Base is { } @base)
            {
                json.WritePropertyName("base");
                Write(json, @base);
            }

            if (result.Answers.Count > 0)
            {
                json.WriteStartArray("answers");
                foreach (AnswerSample sample in result.Answers)
                {
                    Write(json, sample);
                }

                json.WriteEndArray();
            }

            if (result.Learned is { } learned)
            {
                json.WriteStartObject("learned");
                json.WriteNumber("edits", learned.Edits);
                Write(json, "seconds", learned.Seconds);
                json.WriteNumber("addedParameters", learned.AddedParameters);
                json.WriteEndObject();
            }

            if (result.PeakMemory is { } peak)
            {
                json.WriteNumber("peakMemoryBytes", peak);
            }

            if (state is not null)
            {
                json.WriteString("state", state);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void Write(Utf8JsonWriter json, MethodResult method)
    {
        json.WriteStartObject();
        json.WriteString("name", method.Name);
        Write(json, "reliability", method.Reliability);
        Write(json, "generalization", method.Generalization);
        json.WriteStartObject("deferralRecall");
        Write(json, "tasks", method.DeferralOfTasks);
        Write(json, "unedited", method.DeferralOfUnedited);
        if (method.DeferralOfLocality is { } locality)
        {
            Write(json, "locality", locality);
        }

        json.WriteEndObject();
        Write(json, "scopeRecall", method.ScopeRecall);
        Write(json, "retention", method.Retention);
        Write(json, "retentionBase", method.RetentionBase);
        Write(json, "secondsPerEdit", method.SecondsPerEdit);
        json.WriteNumber("addedParameters", method.AddedParameters);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, AnswerSample sample)
    {
        json.WriteStartObject();
        json.WriteString("prompt", sample.Prompt);
        json.WriteBoolean("rephrased", sample.Rephrased);
        json.WriteString("wanted", sample.Wanted);
        json.WriteString("base", sample.Base);
        json.WriteString("edited", sample.Edited);
        json.WriteBoolean("inScope", sample.InScope);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string name, Readings? readings)
    {
        json.WriteStartObject(name);
        Write(json, "teacherForced", readings?.TeacherForced);
        Write(json, "generated", readings?.Generated);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } number && double.IsFinite(number))
        {
            json.WriteNumber(name, Math.Round(number, Digits));
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
