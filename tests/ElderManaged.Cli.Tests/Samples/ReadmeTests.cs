using System.Text.RegularExpressions;
using ElderManaged.Editing;
using ElderManaged.Testing;

namespace ElderManaged.Cli.Tests.Samples;

public sealed class ReadmeTests
{
    private const string Source = "tests/ElderManaged.Cli.Tests/Samples/EmbeddingSample.cs";

    [Fact]
    public void TheExampleOfTheReadmeIsTheCompiledOne()
    {
        string readme = File.ReadAllText(Path.Combine(SharedData.RequireRepository(), "README.md")).ReplaceLineEndings("\n");
        Match shown = Regex.Match(readme, $"<!-- sample: {Regex.Escape(Source)} -->\n```csharp\n(.*?)```", RegexOptions.Singleline);
        string source = File.ReadAllText(Path.Combine(SharedData.RequireRepository(), Source)).ReplaceLineEndings("\n");
        Match compiled = Regex.Match(source, "#region readme\n(.*?) *#endregion", RegexOptions.Singleline);
        Assert.True(shown.Success && compiled.Success);
        string code = string.Join('\n', compiled.Groups[1].Value.Split('\n').Select(line => line.StartsWith("        ", StringComparison.Ordinal) ? line[8..] : line));
        Assert.Equal(code, shown.Groups[1].Value);
    }

    [Fact]
    public void TheExampleOfTheReadmeRuns()
    {
        using Elder elder = new();
        EmbeddingSample.Run(Elder.Model, elder.PathOf("state"));
        using EditorSession session = ElderModel.Open(elder.PathOf("state"));
        Assert.Single(session.Facts);
        Assert.True(session.Ask("The capital of Brevia is").InScope);
    }

    [Fact]
    public void TheReadmeNamesEveryCommandAndOption()
    {
        string readme = File.ReadAllText(Path.Combine(SharedData.RequireRepository(), "README.md"));
        foreach (string command in (string[])["demo", "edit", "ask", "generate", "doctor"])
        {
            Assert.Contains($"`elder {command} ", readme, StringComparison.Ordinal);
            string help = Elder.Run(command, "--help").Out;
            string line = readme.Split('\n').Single(l => l.StartsWith($"| `elder {command} ", StringComparison.Ordinal));
            Assert.All(Regex.Matches(line, "--[a-z-]+").Select(m => m.Value), option => Assert.Contains(option, help, StringComparison.Ordinal));
        }
    }
}
