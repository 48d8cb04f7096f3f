namespace ElderManaged.Testing;

/// <summary>
/// Finds the large data that is not kept in the repository (published data sets, reference numbers): the folder
/// named by the environment variable ELDER_SHARED, else "shared" beside the repository.
/// </summary>
public static class SharedData
{
    /// <summary>The folder of the repository that the tests were built in, or null.</summary>
    public static string? Repository { get; } = FindRepository();

    private static readonly string Root = FindRoot(); // after Repository, which it reads

    /// <summary>The path of a shared file or folder, whether it exists or not.</summary>
    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>Whether the shared file or folder exists.</summary>
    public static bool Exists(params string[] parts)
    {
        string path = PathOf(parts);
        return File.Exists(path) || Directory.Exists(path);
    }

    private static string FindRoot()
    {
        if (Environment.GetEnvironmentVariable("ELDER_SHARED") is { Length: > 0 } named)
        {
            return named;
        }

        return Repository is { } repository ? Path.GetFullPath(Path.Combine(repository, "..", "shared")) : "shared";
    }

    /// <summary>The folder of the repository, for tests of its own files.</summary>
    public static string RequireRepository() => Repository ?? throw new InvalidOperationException("The tests do not lie in a clone.");

    private static string? FindRepository()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "ElderManaged.sln")))
            {
                return folder.FullName;
            }
        }

        return null;
    }
}
