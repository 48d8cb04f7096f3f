namespace ElderManaged.Testing;

/// <summary>A test that needs shared data; it is skipped, with the missing path in the reason, where that is absent.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SharedFactAttribute : FactAttribute
{
    /// <param name="needs">Paths below the shared folder that the test reads, with '/' between the parts.</param>
    public SharedFactAttribute(params string[] needs)
    {
        Needs = needs;
        if (needs.FirstOrDefault(path => !SharedData.Exists(path)) is string missing)
        {
            Skip = $"needs {missing} in the shared folder (looked for {SharedData.PathOf(missing)}; set ELDER_SHARED to its place)";
        }
    }

    /// <summary>What the test reads below the shared folder.</summary>
    public IReadOnlyList<string> Needs { get; }
}
