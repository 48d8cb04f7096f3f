namespace ElderManaged.Cli.Tests.Commands;

public sealed class ModelPullTests : IDisposable
{
    private readonly Elder elder = new();
    private readonly string? home;

    // Other tests keep calibrations in ELDER_HOME, wherever that is.
    public ModelPullTests()
    {
        _ = Elder.Model; // sets it
        home = Environment.GetEnvironmentVariable("ELDER_HOME");
        Environment.SetEnvironmentVariable("ELDER_HOME", elder.Folder);
        Environment.SetEnvironmentVariable("HF_ENDPOINT", "http://127.0.0.1:1");
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("ELDER_HOME", home);
        Environment.SetEnvironmentVariable("HF_ENDPOINT", null);
        elder.Dispose();
    }

    [Fact]
    public void AnUnknownNameIsToldWhichAreKnown()
    {
        Outcome outcome = Elder.Run("model", "pull", "gpt5");
        Assert.Equal(Program.BadInput, outcome.Code);
        Assert.Contains("'gpt5'", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("llama-2-7b", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AKnownNameThatIsNotPulledSaysHowToGetIt()
    {
        Outcome outcome = Elder.Run("generate", "Once", "--model", "gpt2-xl");
        Assert.Equal(Program.BadInput, outcome.Code);
        Assert.Contains("elder model pull gpt2-xl", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void APulledModelIsUsedByItsName()
    {
        string folder = Path.Combine(elder.Folder, "models", "gpt2");
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.GetFiles(Elder.Model))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        Outcome outcome = Elder.Run("generate", "The", "--model", "gpt2", "--max-tokens", "2", "--json");
        Assert.True(outcome.Code == Program.Success, outcome.Error);
        Assert.Equal(System.Text.Json.JsonValueKind.Array, outcome.Json.GetProperty("ids").ValueKind);
        outcome = Elder.Run("model", "pull", "gpt2", "--json");
        Assert.True(outcome.Code == Program.Success, outcome.Error);
        Assert.All(outcome.Json.GetProperty("files").EnumerateArray(), file => Assert.Equal("present", file.GetProperty("check").GetString()));
    }
}
