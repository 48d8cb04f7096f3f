namespace ElderManaged.Models.Hub;

/// <summary>The models that have been fetched: one folder each, below <c>models</c> in <see cref="HubOptions.Home"/>.</summary>
public static class ModelCache
{
    /// <summary>The folder of a model, whether it is there or not.</summary>
    /// <param name="model">The model.</param>
    /// <param name="home"><see cref="HubOptions.Home"/>.</param>
    public static string FolderOf(KnownModel model, string home)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Path.Combine(home, "models", model.Name);
    }

    /// <summary>Whether all files of a model are there. A file gets its name when it is complete and checked, never before.</summary>
    /// <param name="model">The model.</param>
    /// <param name="home"><see cref="HubOptions.Home"/>.</param>
    public static bool IsComplete(KnownModel model, string home)
    {
        string folder = FolderOf(model, home);
        return model.Files.All(file => File.Exists(Path.Combine(folder, file)));
    }

    /// <summary>The folder of a model that has been fetched, or null if the name is not in the table.</summary>
    /// <param name="name">What the user wrote where a path or a name is expected.</param>
    /// <param name="home"><see cref="HubOptions.Home"/>.</param>
    /// <exception cref="HubException">The name is known, but the model has not been fetched (completely).</exception>
    public static string? Find(string name, string home)
    {
        if (KnownModels.Find(name) is not KnownModel model)
        {
            return null;
        }

        return IsComplete(model, home)
            ? FolderOf(model, home)
            : throw new HubException($"The model {model.Name} ({model.Repository}, {model.Size}) is known but not on this machine yet; get it with: elder model pull {model.Name}");
    }
}
