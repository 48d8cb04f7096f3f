using ElderManaged.Editing.Baselines.FtL;
using ElderManaged.Editing.Baselines.Lora;
using ElderManaged.Editing.Elder;
using ElderManaged.Models;

namespace ElderManaged.Editing;

/// <summary>Makes editors by name, as the command line and saved states name them.</summary>
public static class EditorFactory
{
    private static readonly SortedDictionary<string, Func<TransformerModel, string?, IFactFinder?, IPersistentEditor>> Makers = new(StringComparer.Ordinal)
    {
        ["elder"] = (model, json, finder) => Elder("elder", model, json, ElderOptions.Default(model), finder),
        ["elder-paper"] = (model, json, finder) => Elder("elder-paper", model, json, ElderOptions.Paper(model), finder),
        ["ft-l"] = (model, json, _) => new FtLEditor(model, EditorOptions.FromJson("ft-l", json, new FtLOptions(), EditorJson.Default.FtLOptions)),
        ["lora"] = (model, json, _) => new LoraEditor(model, EditorOptions.FromJson("lora", json, new LoraOptions(), EditorJson.Default.LoraOptions)),
    };

    /// <summary>The names that <see cref="Create"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Makers.Keys];

    /// <summary>A fresh editor.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="model">The base model; it is never changed.</param>
    /// <param name="optionsJson">A JSON object with the options that differ from the defaults, by their names in camel case.</param>
    /// <param name="finder">An empty finder, which recognises facts for <c>elder</c>; null for exact matches only. Others have no use for one.</param>
    /// <exception cref="EditException">There is no editor of that name, or an option is unknown or does not fit.</exception>
    public static IPersistentEditor Create(string name, TransformerModel model, string? optionsJson = null, IFactFinder? finder = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(model);
        return Makers.TryGetValue(name, out Func<TransformerModel, string?, IFactFinder?, IPersistentEditor>? make)
            ? make(model, optionsJson, finder)
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
