using ElderManaged.Editing.Baselines.FtL;
using ElderManaged.Editing.Baselines.Lora;
using ElderManaged.Editing.Elder;
using ElderManaged.Models;

namespace ElderManaged.Editing;

/// <summary>What the method <c>elder</c> is given besides the model.</summary>
/// <param name="Finder">An empty finder, which recognises facts; null for exact matches only.</param>
/// <param name="LeadingSentences">Tokens of unrelated sentences behind which edits are trained too, unless the options name others.</param>
public readonly record struct ElderParts(IFactFinder? Finder = null, IReadOnlyList<int[]>? LeadingSentences = null);

/// <summary>Makes editors by name, as the command line and saved states name them.</summary>
public static class EditorFactory
{
    private static readonly SortedDictionary<string, Func<TransformerModel, string?, ElderParts, IPersistentEditor>> Makers = new(StringComparer.Ordinal)
    {
        ["elder"] = (model, json, parts) => Elder(
            "elder", model, json, ElderOptions.Default(model) with { LeadingSentences = parts.LeadingSentences ?? [] }, parts.Finder),
        ["elder-paper"] = (model, json, _) => Elder("elder-paper", model, json, ElderOptions.Paper(model), null),
        ["ft-l"] = (model, json, _) => new FtLEditor(model, EditorOptions.FromJson("ft-l", json, new FtLOptions(), EditorJson.Default.FtLOptions)),
        ["lora"] = (model, json, _) => new LoraEditor(model, EditorOptions.FromJson("lora", json, new LoraOptions(), EditorJson.Default.LoraOptions)),
    };

    /// <summary>The names that <see cref="Create"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Makers.Keys];

    /// <summary>A fresh editor.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="model">The base model; it is never changed.</param>
    /// <param name="optionsJson">A JSON object with the options that differ from the defaults, by their names in camel case.</param>
    /// <param name="parts">What <c>elder</c> needs besides the model; other methods have no use for it.</param>
    /// <exception cref="EditException">There is no editor of that name, or an option is unknown or does not fit.</exception>
    public static IPersistentEditor Create(string name, TransformerModel model, string? optionsJson = null, ElderParts parts = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(model);
        return Makers.TryGetValue(name, out Func<TransformerModel, string?, ElderParts, IPersistentEditor>? make)
            ? make(model, optionsJson, parts)
            : throw new EditException($"There is no editor {EditException.Quote(name)}; known are {string.Join(", ", Names)}.");
    }

    private static ElderEditor Elder(string name, TransformerModel model, string? json, ElderOptions preset, IFactFinder? finder)
    {
        ElderOptions options = EditorOptions.FromJson(name, json, preset, ElderJson.Default.ElderOptions);
        try
        {
            return new ElderEditor(model, options, finder);
        }
        catch (ArgumentException exception)
        {
            throw new EditException(exception.Message, exception);
        }
    }
}
