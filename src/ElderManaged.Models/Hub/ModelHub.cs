using System.Net;

namespace ElderManaged.Models.Hub;

/// <summary>
/// Fetches models from the Hugging Face hub into the cache. An interrupted download goes on where it stopped, also in
/// another process; a file gets its name when it is complete and its checksum is right.
/// </summary>
/// <remarks>For any number of threads; two downloads of one model at a time are refused.</remarks>
public sealed class ModelHub : IDisposable
{
    private readonly HubOptions _options;
    private readonly HttpClient _http;

    /// <summary>Prepares; nothing is sent yet.</summary>
    /// <param name="options">Where from and where to; null for what the environment says.</param>
    public ModelHub(HubOptions? options = null)
    {
        _options = options ?? HubOptions.FromEnvironment();
        // Redirects are followed by hand: the hub's answer names the checksum, and the token must not go elsewhere.
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, AutomaticDecompression = DecompressionMethods.None, UseCookies = false })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _http.DefaultRequestHeaders.UserAgent.ParseAdd("ElderManaged");
    }

    /// <summary>Fetches what is missing of a model.</summary>
    /// <param name="model">One of <see cref="KnownModels.All"/>, or any other.</param>
    /// <param name="progress">Is told how far it is.</param>
    /// <param name="cancellationToken">Stops; the next call goes on from there.</param>
    /// <exception cref="HubException">It cannot be fetched; the message says why and what to do.</exception>
    public async Task<PulledModel> PullAsync(KnownModel model, IProgress<PullProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        string folder = ModelCache.FolderOf(model, _options.Home);
        using FileStream guard = Lock(model, folder);
        List<PulledFile> files = [];
        string? commit = null;
        for (int i = 0; i < model.Files.Count; i++)
        {
            string path = Path.Combine(folder, model.Files[i]);
            if (File.Exists(path))
            {
                files.Add(new PulledFile(model.Files[i], new FileInfo(path).Length, FileCheck.Present));
                continue;
            }

            // All files of one commit, also if the repository changes in between.
            FileDownload download = new(_http, _options, model, model.Files[i], folder, (i + 1, model.Files.Count), progress);
            files.Add(await download.RunAsync(commit ?? "main", cancellationToken).ConfigureAwait(false));
            commit ??= download.Commit;
        }

        return new PulledModel(folder, commit, files);
    }

    /// <summary>Closes all connections.</summary>
    public void Dispose() => _http.Dispose();

    private static FileStream Lock(KnownModel model, string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
            return new FileStream(Path.Combine(folder, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new HubException($"The folder {folder} cannot be written ({e.Message}); set ELDER_HOME to one that can.", e);
        }
        catch (IOException e) when (Directory.Exists(folder))
        {
            throw new HubException($"The model {model.Name} is being fetched by another process ({folder} is locked); wait for that one.", e);
        }
        catch (IOException e)
        {
            throw new HubException($"The folder {folder} cannot be made ({e.Message}); set ELDER_HOME to one that can.", e);
        }
    }
}
