using System.Text.Json;
using System.Text.Json.Serialization;
using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.Editing.Elder;

/// <summary>
/// An <see cref="ElderState"/> as a file: tensors and codes as safetensors, the rest as JSON in its metadata, so that all
/// of it is written at once or not at all.
/// </summary>
internal static class ElderStateFile
{
    public const string FileName = "elder.safetensors";
    private const string Key = "elder_state", CodesName = "codes";

    public static void Save(ElderState state, ElderOptions options, string folder)
    {
        Directory.CreateDirectory(folder);
        state.Finder.Save(folder);
        SafetensorsWriter writer = new();
        foreach (Parameter parameter in state.Mixture.Parameters)
        {
            Shape shape = parameter.Value.Shape;
            writer.Add(parameter.Name, [.. Enumerable.Range(0, shape.Rank).Select(i => (long)shape[i])], parameter.Value.Memory);
        }

        int words = AllocationCode.WordsFor(options.Layers.Count * options.LoraCount);
        long[] codes = [.. Enumerable.Range(0, state.Codes.Count).SelectMany(i => state.Codes[i].Words.ToArray()).Select(w => unchecked((long)w))];
        writer.AddInt64(CodesName, [state.Codes.Count, words], codes);
        ElderStateJson json = new(
            options.ToJson(),
            [.. state.Allocator.Facts.Select(f => new FactJson(f, state.Allocator.Find(f)!.Loras.ToArray()))],
            [.. state.Edits],
            [.. Enumerable.Range(0, state.Codes.Count).Select(state.Codes.FactOf)],
            state.Random.SaveState(),
            state.Allocator.SaveRandom());
        writer.AddMetadata(Key, JsonSerializer.Serialize(json, ElderJson.Default.ElderStateJson));
        writer.Save(Path.Combine(folder, FileName));
    }

    public static ElderState Load(TransformerModel model, ElderOptions options, IFactFinder emptyFinder, string folder)
    {
        string path = Path.Combine(folder, FileName);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        ElderStateJson json = ReadJson(file, path);
        if (json.Options != options.ToJson())
        {
            throw new CheckpointException($"{path} was written with other options ({json.Options}) than this editor has ({options.ToJson()}).");
        }

        ElderState fresh = ElderState.Start(model, options, emptyFinder);
        foreach (Parameter parameter in fresh.Mixture.Parameters)
        {
            file.ReadFloat32(parameter.Name, parameter.Value.Span);
        }

        if (fresh.Mixture.FindNotFinite() is { } bad)
        {
            throw new CheckpointException($"{path}: the tensor {bad} holds numbers that are not finite; the file is damaged.");
        }

        int length = options.Layers.Count * options.LoraCount, words = AllocationCode.WordsFor(length);
        long[] codes = new long[json.CodeFacts.Length * words];
        file.ReadInt64(CodesName, codes);
        ulong[] bits = [.. codes.Select(c => unchecked((ulong)c))];
        try
        {
            foreach (FactJson fact in json.Facts)
            {
                fresh.Allocator.Assign(fact.Id, new Allocation(fact.Loras, options.Layers.Count, options.LoraCount));
            }

            fresh.Allocator.RestoreRandom(json.AllocatorRandom);
            CodeBook book = fresh.Codes.With([.. json.CodeFacts.Select((f, i) => (f, new AllocationCode(length, bits.AsSpan(i * words, words))))]);
            return fresh with
            {
                Codes = book,
                Edits = json.Edits,
                Random = RandomSource.FromState(json.Random),
                Finder = emptyFinder.Load(folder, json.Edits),
            };
        }
        catch (ArgumentException e)
        {
            throw new CheckpointException($"{path} is damaged: {e.Message}", e);
        }
    }

    private static ElderStateJson ReadJson(SafetensorsFile file, string path)
    {
        if (!file.Metadata.TryGetValue(Key, out string? text))
        {
            throw new CheckpointException($"{path} has no '{Key}' in its metadata; it is not the state of an ELDER editor.");
        }

        try
        {
            return JsonSerializer.Deserialize(text, ElderJson.Default.ElderStateJson) ?? throw new CheckpointException($"{path}: '{Key}' is null.");
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"{path}: '{Key}' cannot be read: {e.Message}", e);
        }
    }
}

/// <summary>What the file holds beside tensors.</summary>
internal sealed record ElderStateJson(
    string Options, FactJson[] Facts, EncodedEdit[] Edits, string[] CodeFacts, ulong[] Random, ulong[] AllocatorRandom);

/// <summary>A fact and its allocation.</summary>
internal sealed record FactJson(string Id, int[] Loras);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(ElderOptions))]
[JsonSerializable(typeof(ElderStateJson))]
internal sealed partial class ElderJson : JsonSerializerContext;
