using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ElderManaged.Models.Tests.Hub;

/// <summary>
/// A hub on this machine: small files are sent by itself with git's SHA-1 as their tag, large ones by a storage on another
/// port, to which it redirects with the SHA-256 in X-Linked-ETag. What it does wrong is told file by file.
/// </summary>
internal sealed class TestHub : IAsyncDisposable
{
    private readonly WebApplication hub, storage;
    private readonly Lock gate = new();

    private TestHub(WebApplication hub, WebApplication storage) => (this.hub, this.storage) = (hub, storage);

    public Uri Endpoint { get; private set; } = null!;

    public Uri Storage { get; private set; } = null!;

    public string Repository => "maker/small-model";

    public string Commit { get; set; } = "0123456789abcdef0123456789abcdef01234567";

    public Dictionary<string, byte[]> Small { get; } = [];

    public Dictionary<string, byte[]> Large { get; } = [];

    /// <summary>Answers in place of the hub; returns whether it did.</summary>
    public Func<HttpContext, Task<bool>> OnHub { get; set; } = _ => Task.FromResult(false);

    /// <summary>Answers in place of the storage; returns whether it did.</summary>
    public Func<HttpContext, byte[], Task<bool>> OnStorage { get; set; } = (_, _) => Task.FromResult(false);

    /// <summary>All requests: which server, what for, from which byte, with which token.</summary>
    public List<(string Server, string Path, string Range, string IfRange, string Token)> Requests { get; } = [];

    public static async Task<TestHub> StartAsync()
    {
        TestHub server = new(Create(), Create());
        server.hub.Run(server.AnswerAsync);
        server.storage.Run(server.StoreAsync);
        await server.hub.StartAsync();
        await server.storage.StartAsync();
        server.Endpoint = Address(server.hub);
        server.Storage = Address(server.storage);
        return server;
    }

    /// <summary>Sends bytes as a server that knows ranges does.</summary>
    public static async Task SendAsync(HttpContext context, byte[] content, string tag)
    {
        string range = context.Request.Headers.Range.ToString(), condition = context.Request.Headers.IfRange.ToString();
        int start = range.Length > 0 && (condition.Length == 0 || condition == tag) ? int.Parse(range.Split('=')[1].TrimEnd('-')) : 0;
        context.Response.Headers.ETag = tag;
        if (start >= content.Length && start > 0)
        {
            context.Response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
            return;
        }

        if (start > 0)
        {
            context.Response.StatusCode = StatusCodes.Status206PartialContent;
            context.Response.Headers.ContentRange = $"bytes {start}-{content.Length - 1}/{content.Length}";
        }

        context.Response.ContentLength = content.Length - start;
        await context.Response.Body.WriteAsync(content.AsMemory(start));
    }

    /// <summary>Sends the beginning of the rest that was asked for and breaks the connection.</summary>
    public static async Task BreakAsync(HttpContext context, byte[] content, int bytes, string tag = "\"stored\"")
    {
        string range = context.Request.Headers.Range.ToString();
        int start = range.Length > 0 ? int.Parse(range.Split('=')[1].TrimEnd('-')) : 0;
        context.Response.Headers.ETag = tag;
        context.Response.StatusCode = start > 0 ? 206 : 200;
        if (start > 0)
        {
            context.Response.Headers.ContentRange = $"bytes {start}-{content.Length - 1}/{content.Length}";
        }

        context.Response.ContentLength = content.Length - start;
        await context.Response.Body.WriteAsync(content.AsMemory(start, Math.Min(bytes, content.Length - start)));
        await context.Response.Body.FlushAsync();
        await Task.Delay(50); // so that what was written arrives before the reset
        context.Abort();
    }

    public static string Sha256(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

#pragma warning disable CA5350 // git's name for a file
    public static string GitSha1(byte[] content) =>
        Convert.ToHexStringLower(SHA1.HashData([.. System.Text.Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]));
#pragma warning restore CA5350

    public async ValueTask DisposeAsync()
    {
        await hub.DisposeAsync();
        await storage.DisposeAsync();
    }

    private static WebApplication Create()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddLogging(logging => logging.ClearProviders());
        return builder.Build();
    }

    private static Uri Address(WebApplication server) =>
        new(server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    private void Note(string server, HttpContext context)
    {
        lock (gate)
        {
            Requests.Add((server, context.Request.Path.ToString(), context.Request.Headers.Range.ToString(), context.Request.Headers.IfRange.ToString(), context.Request.Headers.Authorization.ToString()));
        }
    }

    private async Task AnswerAsync(HttpContext context)
    {
        Note("hub", context);
        context.Response.Headers["X-Repo-Commit"] = Commit;
        if (await OnHub(context))
        {
            return;
        }

        string[] parts = context.Request.Path.ToString().Split("/resolve/");
        string file = parts.Length == 2 ? parts[1].Split('/', 2)[1] : "";
        if (parts[0] == "/" + Repository && Small.TryGetValue(file, out byte[]? small))
        {
            await SendAsync(context, small, $"\"{GitSha1(small)}\"");
        }
        else if (parts[0] == "/" + Repository && Large.TryGetValue(file, out byte[]? large))
        {
            context.Response.Headers["X-Linked-ETag"] = $"\"{Sha256(large)}\"";
            context.Response.Headers["X-Linked-Size"] = $"{large.Length}";
            context.Response.Redirect(new Uri(Storage, "/store/" + file).ToString());
        }
        else
        {
            context.Response.StatusCode = 404;
        }
    }

    private async Task StoreAsync(HttpContext context)
    {
        Note("storage", context);
        byte[] content = Large[context.Request.Path.ToString().Split('/')[^1]];
        if (!await OnStorage(context, content))
        {
            await SendAsync(context, content, "\"stored\"");
        }
    }
}
