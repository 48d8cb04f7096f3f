using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using ElderManaged.Editing.Baselines.FtL;
using ElderManaged.Editing.Baselines.Lora;
using ElderManaged.Models;

namespace ElderManaged.Editing;

/// <summary>What the options of all editors have in common: their form in JSON, and how they are checked.</summary>
internal static class EditorOptions
{
    public static string ToJson<T>(T options, JsonTypeInfo<T> type) => JsonSerializer.Serialize(options, type);

    /// <summary>Defaults with what <paramref name="json"/> says in their place; an unknown name is an error.</summary>
    public static T FromJson<T>(string editor, string? json, T defaults, JsonTypeInfo<T> type)
    {
        if (string.IsNullOrWhiteSpace(json))
        {
            return defaults;
        }

        try
        {
            JsonObject all = JsonNode.Parse(ToJson(defaults, type))!.AsObject();
            foreach ((string name, JsonNode? value) in JsonNode.Parse(json)!.AsObject())
            {
                JsonPropertyInfo property = type.Properties.FirstOrDefault(p => string.Equals(p.Name, name, StringComparison.OrdinalIgnoreCase))
                    ?? throw new JsonException($"There is no option {EditException.Quote(name)}.");
                all[property.Name] = value?.DeepClone();
            }

            return all.Deserialize(type)!;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or NullReferenceException)
        {
            string names = string.Join(", ", type.Properties.Select(p => p.Name));
            throw new EditException($"The options of {editor} cannot be read: {exception.Message} Known are {names}.", exception);
        }
    }

    public static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new EditException(otherwise);
        }
    }

    public static void RequireLayers(string editor, IReadOnlyList<int> layers, TransformerModel model)
    {
        Require(layers.Count > 0, $"{editor}: no layers are named; at least one is needed.");
        for (int i = 0; i < layers.Count; i++)
        {
            Require(layers[i] >= 0 && layers[i] < model.LayerCount, $"{editor}: the layer {layers[i]} does not exist; the model has layers 0 to {model.LayerCount - 1}.");
            Require(i == 0 || layers[i] > layers[i - 1], $"{editor}: the layers {string.Join(", ", layers)} must ascend.");
        }
    }

    public static float RequireFinite(float loss, string editor, int step) => float.IsFinite(loss)
        ? loss
        : throw new EditException($"{editor}: the loss became {loss} after {step} steps; nothing of this batch was kept. Lower the learning rate.");
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(FtLOptions))]
[JsonSerializable(typeof(LoraOptions))]
internal sealed partial class EditorJson : JsonSerializerContext;
