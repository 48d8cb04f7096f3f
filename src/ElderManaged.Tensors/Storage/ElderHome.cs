namespace ElderManaged.Tensors.Storage;

/// <summary>Where programs keep what can be fetched or measured again: models, calibrations, choices of kernels.</summary>
public static class ElderHome
{
    /// <summary>The environment variable that names another folder.</summary>
    public const string Variable = "ELDER_HOME";

    /// <summary>What <see cref="Variable"/> says, else the platform's folder for caches. It need not exist.</summary>
    public static string Folder
    {
        get
        {
            if (Value(Variable) is string home)
            {
                return Path.GetFullPath(home);
            }

            string user = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            string caches = OperatingSystem.IsWindows() ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                : OperatingSystem.IsMacOS() ? Path.Combine(user, "Library", "Caches")
                : Value("XDG_CACHE_HOME") ?? Path.Combine(user, ".cache");
            return Path.Combine(caches, "elder-managed");
        }
    }

    private static string? Value(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value.Trim() : null;
}
