using ElderManaged.Models.Hub;
using ElderManaged.Testing;
using Microsoft.AspNetCore.Http;

namespace ElderManaged.Models.Tests.Hub;

/// <summary>Downloads end complete and checked, or in one clear error, whatever the servers do.</summary>
public sealed class ModelHubTests : IAsyncLifetime, IDisposable
{
    private readonly TemporaryFolder home = new();
    private readonly byte[] weights = new byte[600_000];
    private TestHub server = null!;

    public async Task InitializeAsync()
    {
        new Random(5).NextBytes(weights);
        server = await TestHub.StartAsync();
        server.Small["config.json"] = "{\"a\": 1}"u8.ToArray();
        server.Large["model.safetensors"] = weights;
    }

    public async Task DisposeAsync() => await server.DisposeAsync();

    public void Dispose() => home.Dispose();

    [Fact]
    public async Task AModelIsFetchedCheckedAndFoundByItsName()
    {
        PulledModel pulled = await PullAsync();
        Assert.Equal([FileCheck.GitSha1, FileCheck.Sha256], pulled.Files.Select(f => f.Check));
        Assert.Equal(server.Commit, pulled.Commit);
        RequireWhole();
        Assert.Equal([".lock", "config.json", "model.safetensors"], Directory.GetFiles(Folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        // The second file is asked for at the commit that the first was of.
        Assert.Equal(["/maker/small-model/resolve/main/config.json", $"/maker/small-model/resolve/{server.Commit}/model.safetensors"], server.Requests.Where(r => r.Server == "hub").Select(r => r.Path));
        server.Requests.Clear();
        Assert.All((await PullAsync()).Files, file => Assert.Equal(FileCheck.Present, file.Check));
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task ABrokenConnectionGoesOnWhereItStopped()
    {
        int requests = 0;
        server.OnStorage = async (context, content) =>
        {
            if (++requests <= 7)
            {
                await TestHub.BreakAsync(context, content, 70_000);
                return true;
            }

            return false;
        };
        List<PullProgress> seen = [];
        PulledModel pulled = await PullAsync(progress: new Listener(seen));
        Assert.Equal(FileCheck.Sha256, pulled.Files[1].Check);
        RequireWhole();
        (string, string Path, string Range, string IfRange, string)[] asked = [.. server.Requests.Where(r => r.Server == "storage")];
        Assert.Equal(8, asked.Length);
        Assert.All(asked[1..], r => Assert.Equal("\"stored\"", r.IfRange));
        Assert.Equal("bytes=70000-", asked[1].Range);
        Assert.Equal("bytes=490000-", asked[7].Range);
        Assert.Contains(seen, p => p.Note is not null);
        Assert.Contains(seen, p => p is { Done: 600_000, Total: 600_000, Number: 2, Count: 2 });
    }

    [Fact]
    public async Task AnotherProcessGoesOnWhereThisOneStopped()
    {
        server.OnStorage = async (context, content) =>
        {
            await TestHub.BreakAsync(context, content, context.Request.Headers.Range.Count == 0 ? 100_000 : 0);
            return true;
        };
        HubException error = await Assert.ThrowsAsync<HubException>(() => PullAsync());
        Assert.Contains("3 attempts", error.Message, StringComparison.Ordinal);
        Assert.Contains("run the same command again", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(Folder, "model.safetensors")));
        Assert.False(ModelCache.IsComplete(Model, home.Path));
        server.OnStorage = (_, _) => Task.FromResult(false);
        server.Requests.Clear();
        await PullAsync();
        RequireWhole();
        Assert.Equal("bytes=100000-", server.Requests.Single(r => r.Server == "storage").Range);
    }

    [Fact]
    public async Task CancellingKeepsWhatIsThere()
    {
        using CancellationTokenSource stop = new();
        server.OnStorage = async (context, content) =>
        {
            context.Response.Headers.ETag = "\"stored\"";
            context.Response.ContentLength = content.Length;
            await context.Response.Body.WriteAsync(content.AsMemory(0, 200_000));
            await context.Response.Body.FlushAsync();
            await Task.Delay(200);
            await stop.CancelAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            return true;
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => PullAsync(cancellationToken: stop.Token));
        server.OnStorage = (_, _) => Task.FromResult(false);
        await PullAsync();
        RequireWhole();
        Assert.Equal("bytes=200000-", server.Requests[^1].Range);
    }

    [Fact]
    public async Task AServerThatIgnoresRangesBeginsAnew()
    {
        int requests = 0;
        server.OnStorage = async (context, content) =>
        {
            context.Request.Headers.Range = default;
            await (++requests == 1 ? TestHub.BreakAsync(context, content, 300_000) : TestHub.SendAsync(context, content, "\"stored\""));
            return true;
        };
        await PullAsync();
        RequireWhole();
        Assert.Equal(2, requests);
    }

    [Fact]
    public async Task AFileThatChangedIsFetchedAnew()
    {
        int requests = 0;
        server.OnStorage = async (context, content) =>
        {
            if (++requests == 1)
            {
                byte[] other = [.. content.Reverse()];
                server.Large["model.safetensors"] = other; // before the connection breaks: the next request comes at once
                await TestHub.BreakAsync(context, content, 300_000);
                return true;
            }

            await TestHub.SendAsync(context, server.Large["model.safetensors"], "\"stored\"");
            return true;
        };
        await PullAsync();
        Assert.Equal([.. weights.Reverse()], File.ReadAllBytes(Path.Combine(Folder, "model.safetensors")));
    }

    [Fact]
    public async Task ARangeThatWasNotAskedForIsNotAppended()
    {
        int requests = 0;
        server.OnStorage = async (context, content) =>
        {
            if (++requests == 1)
            {
                await TestHub.BreakAsync(context, content, 300_000);
            }
            else if (requests == 2)
            {
                context.Request.Headers.Range = "bytes=299999-";
                await TestHub.SendAsync(context, content, "\"stored\"");
            }

            return requests <= 2;
        };
        await PullAsync();
        RequireWhole();
    }

    [Theory]
    [InlineData("model.safetensors", "SHA-256")]
    [InlineData("config.json", "git SHA-1")]
    public async Task WrongBytesAreNeverKept(string file, string checksum)
    {
        server.OnStorage = async (context, content) =>
        {
            byte[] wrong = [.. content];
            wrong[12345] ^= 1;
            await TestHub.SendAsync(context, wrong, "\"stored\"");
            return true;
        };
        if (file == "config.json")
        {
            server.OnHub = async context =>
            {
                await TestHub.SendAsync(context, "{\"a\": 2}"u8.ToArray(), $"\"{TestHub.GitSha1(server.Small[file])}\"");
                return true;
            };
        }

        HubException error = await Assert.ThrowsAsync<HubException>(() => PullAsync());
        Assert.Contains($"{file} of maker/small-model arrived with wrong bytes: its {checksum} is", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Directory.GetFiles(Folder), f => f.Contains(file, StringComparison.Ordinal));
    }

    [Fact]
    public async Task ALengthThatContradictsTheHubIsRefused()
    {
        server.OnStorage = async (context, content) =>
        {
            await TestHub.SendAsync(context, content[..^1], "\"stored\"");
            return true;
        };
        Assert.Contains("should have 600000 bytes, but 127.0.0.1:", (await Assert.ThrowsAsync<HubException>(() => PullAsync())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MoreThanWasPromisedIsRefused()
    {
        server.OnStorage = async (context, content) =>
        {
            await context.Response.Body.WriteAsync(content); // no length: in chunks
            await context.Response.Body.WriteAsync(content);
            return true;
        };
        Assert.Contains("the server sends more", (await Assert.ThrowsAsync<HubException>(() => PullAsync())).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(Folder, ".model.safetensors.part")));
    }

    [Fact]
    public async Task LessThanWasPromisedIsTriedAgain()
    {
        server.OnStorage = async (context, content) =>
        {
            await context.Response.Body.WriteAsync(content.AsMemory(0, 1000)); // ends as if it were complete
            return true;
        };
        Assert.Contains("the connection ended after 1000 of 600000 bytes", (await Assert.ThrowsAsync<HubException>(() => PullAsync())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASilentServerCountsAsBroken()
    {
        server.OnStorage = async (context, content) =>
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            return true;
        };
        HubOptions impatient = Options() with { Silence = TimeSpan.FromMilliseconds(300), Attempts = 2 };
        Assert.Contains("was silent", (await Assert.ThrowsAsync<HubException>(() => PullAsync(impatient))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheTokenGoesToTheHubAlone()
    {
        await PullAsync(Options() with { Token = "hf_secret" });
        Assert.All(server.Requests.Where(r => r.Server == "hub"), r => Assert.Equal("Bearer hf_secret", r.Token));
        Assert.Equal("", server.Requests.Single(r => r.Server == "storage").Token);
    }

    [Theory]
    [InlineData(401, false, "set the environment variable HF_TOKEN")]
    [InlineData(403, false, "accept its terms at https://huggingface.co/maker/small-model")]
    [InlineData(401, true, "with the token in HF_TOKEN (401)")]
    [InlineData(403, true, "its owner has accepted the terms")]
    [InlineData(404, false, "has no file config.json in maker/small-model (404)")]
    [InlineData(400, false, "answers 400")]
    public async Task RefusalsEndAtOnceAndSayWhatToDo(int status, bool token, string expected)
    {
        server.OnHub = context =>
        {
            context.Response.StatusCode = status;
            return Task.FromResult(true);
        };
        HubException error = await Assert.ThrowsAsync<HubException>(() => PullAsync(Options() with { Token = token ? "hf_secret" : null }));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hf_secret", error.Message, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task ABusyServerIsAskedAgain(int status)
    {
        int requests = 0;
        server.OnHub = context =>
        {
            if (++requests > 2)
            {
                return Task.FromResult(false);
            }

            context.Response.StatusCode = status;
            context.Response.Headers.RetryAfter = "0";
            return Task.FromResult(true);
        };
        await PullAsync();
        RequireWhole();
        server.OnHub = context =>
        {
            context.Response.StatusCode = status;
            return Task.FromResult(true);
        };
        File.Delete(Path.Combine(Folder, "config.json"));
        Assert.Contains($"in 3 attempts: the server is busy ({status})", (await Assert.ThrowsAsync<HubException>(() => PullAsync())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RedirectsAreFollowedButNotForEver()
    {
        server.OnHub = context =>
        {
            bool moved = context.Request.Path.StartsWithSegments("/maker");
            if (moved)
            {
                context.Response.StatusCode = 307;
                context.Response.Headers.Location = "/moved" + context.Request.Path; // relative, as for a renamed repository
            }
            else
            {
                context.Request.Path = context.Request.Path.ToString()["/moved".Length..];
            }

            return Task.FromResult(moved);
        };
        await PullAsync();
        RequireWhole();
        File.Delete(Path.Combine(Folder, "config.json"));
        server.OnHub = context =>
        {
            context.Response.Redirect("/round");
            return Task.FromResult(true);
        };
        Assert.Contains("more than 10 times", (await Assert.ThrowsAsync<HubException>(() => PullAsync())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NoServerIsOneClearError()
    {
        HubOptions nowhere = Options() with { Endpoint = new Uri("http://127.0.0.1:1") };
        Assert.Contains("127.0.0.1:1", (await Assert.ThrowsAsync<HubException>(() => PullAsync(nowhere))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TwoDownloadsOfOneModelDoNotMeet()
    {
        Directory.CreateDirectory(Folder);
        using (new FileStream(Path.Combine(Folder, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
        {
            Assert.Contains("by another process", (await Assert.ThrowsAsync<HubException>(() => PullAsync())).Message, StringComparison.Ordinal);
        }

        await PullAsync();
        RequireWhole();
    }

    [Fact]
    public void NamesAreFoundInTheTable()
    {
        Assert.Equal("openai-community/gpt2-xl", KnownModels.Find("GPT2-XL")?.Repository);
        Assert.Null(ModelCache.Find("no-such-model", home.Path));
        Assert.Contains("elder model pull gpt2", Assert.Throws<HubException>(() => ModelCache.Find("gpt2", home.Path)).Message, StringComparison.Ordinal);
        KnownModel gpt2 = KnownModels.Find("gpt2")!;
        Directory.CreateDirectory(ModelCache.FolderOf(gpt2, home.Path));
        foreach (string file in gpt2.Files)
        {
            File.WriteAllText(Path.Combine(ModelCache.FolderOf(gpt2, home.Path), file), "");
        }

        Assert.Equal(ModelCache.FolderOf(gpt2, home.Path), ModelCache.Find("gpt2", home.Path));
        Assert.All(KnownModels.All, model => Assert.Contains("config.json", model.Files));
    }

    private KnownModel Model => new("small-model", server.Repository, ["config.json", "model.safetensors"], "1 MB");

    private string Folder => ModelCache.FolderOf(Model, home.Path);

    private HubOptions Options() => new() { Home = home.Path, Endpoint = server.Endpoint, RetryDelay = TimeSpan.FromMilliseconds(1), Attempts = 3 };

    private async Task<PulledModel> PullAsync(HubOptions? options = null, IProgress<PullProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using ModelHub hub = new(options ?? Options());
        return await hub.PullAsync(Model, progress, cancellationToken);
    }

    private void RequireWhole()
    {
        Assert.True(ModelCache.IsComplete(Model, home.Path));
        Assert.Equal(weights, File.ReadAllBytes(Path.Combine(Folder, "model.safetensors")));
        Assert.Equal(server.Small["config.json"], File.ReadAllBytes(Path.Combine(Folder, "config.json")));
    }

    private sealed class Listener(List<PullProgress> seen) : IProgress<PullProgress>
    {
        public void Report(PullProgress value) => seen.Add(value);
    }
}
