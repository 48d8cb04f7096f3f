using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;

namespace ElderManaged.Models.Hub;

/// <summary>
/// Fetches one file. Whatever may be better next time (a broken connection, a busy server) is tried again, going on behind
/// what is there; whatever will not (no access, no such file, a wrong length) ends at once.
/// </summary>
internal sealed class FileDownload(
    HttpClient http, HubOptions options, KnownModel model, string file, string folder, (int Number, int Count) place, IProgress<PullProgress>? progress)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _received;

    /// <summary>The commit that the hub named.</summary>
    public string? Commit { get; private set; }

    public async Task<PulledFile> RunAsync(string revision, CancellationToken cancellationToken)
    {
        Uri address = new($"{options.Endpoint.AbsoluteUri.TrimEnd('/')}/{model.Repository}/resolve/{revision}/{file}");
        using PartFile part = new(Path.Combine(folder, file));
        long most = part.Length;
        int failures = 0, wrong = 0;
        while (true)
        {
            TimeSpan? wait = null;
            string problem;
            try
            {
                HubFile hub = await FetchAsync(address, part, cancellationToken).ConfigureAwait(false);
                if (Check(hub, part, out FileCheck check, out problem))
                {
                    long length = part.Length;
                    part.Finish();
                    return new PulledFile(file, length, check);
                }

                part.Discard();
                if (++wrong == 2)
                {
                    throw new HubException($"{problem}, twice; nothing was kept. Something between here and {options.Endpoint.Authority} changes files.");
                }
            }
            catch (RetryException e)
            {
                (problem, wait) = (e.Message, e.Wait);
            }
            catch (Exception e) when (e is HttpRequestException or IOException and not FileNotFoundException)
            {
                problem = e.InnerException is null || e.Message.Contains(e.InnerException.Message, StringComparison.Ordinal) ? e.Message : $"{e.Message} {e.InnerException.Message}";
                RequireSpace(e, part);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                problem = $"the connection was silent for {options.Silence.TotalSeconds:0} seconds";
            }

            bool further = part.Length > most;
            most = Math.Max(most, part.Length);
            failures = further ? 1 : failures + 1;
            if (failures >= options.Attempts)
            {
                throw new HubException($"{file} of {model.Repository} could not be fetched from {options.Endpoint.Authority} in {failures} attempts: {problem.TrimEnd('.')}. What is there is kept; run the same command again to go on.");
            }

            Report(part.Length, null, $"{problem.TrimEnd('.')}; trying again");
            TimeSpan delay = wait ?? options.RetryDelay * Math.Pow(2, failures - 1);
            await Task.Delay(delay < options.LongestDelay ? delay : options.LongestDelay, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<HubFile> FetchAsync(Uri address, PartFile part, CancellationToken cancellationToken)
    {
        using CancellationTokenSource silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        silence.CancelAfter(options.Silence);
        long start = part.Length;
        (HttpResponseMessage response, HubFile hub) = await HubRequest.SendAsync(http, options, address, start, part.Tag, silence.Token).ConfigureAwait(false);
        using (response)
        {
            Commit ??= hub.Commit;
            bool resumed = response.StatusCode == HttpStatusCode.PartialContent;
            if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable || (start > 0 && part.Checksum != hub.Checksum && resumed))
            {
                part.Discard();
                throw new RetryException("the file on the hub has changed since its first part was fetched", TimeSpan.Zero);
            }

            RequireSuccess(response, hub);
            ContentRangeHeaderValue? range = response.Content.Headers.ContentRange;
            if (resumed && (range?.From ?? -1) != start)
            {
                part.Discard();
                throw new RetryException($"the server sends another part than the one from byte {start} on", TimeSpan.Zero);
            }

            long? total = resumed ? range!.Length : response.Content.Headers.ContentLength;
            if (hub.Size is long size && total is long other && size != other)
            {
                throw new HubException($"{file} of {model.Repository} should have {size} bytes, but {response.RequestMessage!.RequestUri!.Authority} says that it sends {other}; try again later.");
            }

            total ??= hub.Size;
            RequireSpace(total - (resumed ? start : 0));
            part.Open(resumed, hub.Checksum, response.Headers.ETag);
            await CopyAsync(response, part, total, silence).ConfigureAwait(false);
            return hub with { Size = total };
        }
    }

    private async Task CopyAsync(HttpResponseMessage response, PartFile part, long? total, CancellationTokenSource silence)
    {
        using Stream content = await response.Content.ReadAsStreamAsync(silence.Token).ConfigureAwait(false);
        byte[] buffer = new byte[1 << 17];
        TimeSpan reported = TimeSpan.Zero;
        Report(part.Length, total, null);
        while (true)
        {
            silence.CancelAfter(options.Silence);
            int n = await content.ReadAsync(buffer, silence.Token).ConfigureAwait(false);
            if (n == 0)
            {
                break;
            }

            if (total < part.Length + n)
            {
                part.Discard();
                throw new HubException($"{file} of {model.Repository} should have {total} bytes, but the server sends more; nothing was kept. Try again later.");
            }

            part.Write(buffer.AsSpan(0, n));
            _received += n;
            if (_clock.Elapsed - reported > TimeSpan.FromSeconds(0.1))
            {
                reported = _clock.Elapsed;
                Report(part.Length, total, null);
            }
        }

        Report(part.Length, total, null);
        if (part.Length < total)
        {
            throw new RetryException($"the connection ended after {part.Length} of {total} bytes", null);
        }
    }

    private bool Check(HubFile hub, PartFile part, out FileCheck check, out string problem)
    {
        check = hub.IsSha256 ? FileCheck.Sha256 : hub.IsGitSha1 ? FileCheck.GitSha1 : FileCheck.LengthOnly;
        string? actual = check switch { FileCheck.Sha256 => part.Sha256(), FileCheck.GitSha1 => part.GitSha1(), _ => hub.Checksum };
        problem = $"{file} of {model.Repository} arrived with wrong bytes: its {(check == FileCheck.Sha256 ? "SHA-256" : "git SHA-1")} is {actual}, the hub says {hub.Checksum}";
        return actual == hub.Checksum;
    }

    private void RequireSuccess(HttpResponseMessage response, HubFile hub)
    {
        if (response.IsSuccessStatusCode)
        {
            return;
        }

        int status = (int)response.StatusCode;
        string page = $"https://huggingface.co/{model.Repository}";
        switch (response.StatusCode)
        {
            case HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden when options.Token is null:
                throw new HubException($"The hub gives no access to {model.Repository} ({status}): accept its terms at {page}, make a token in your settings there, and set the environment variable HF_TOKEN to it.");
            case HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden:
                throw new HubException($"The hub gives no access to {model.Repository} with the token in HF_TOKEN ({status}): see that the token is valid and may read gated repositories, and that its owner has accepted the terms at {page}.");
            case HttpStatusCode.NotFound or HttpStatusCode.Gone:
                throw new HubException($"{options.Endpoint.Authority} has no file {file} in {model.Repository} ({status}); is HF_ENDPOINT right?");
            case HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout or >= HttpStatusCode.InternalServerError:
                RetryConditionHeaderValue? after = response.Headers.RetryAfter;
                throw new RetryException($"the server is busy ({status})", after?.Delta ?? (after?.Date is DateTimeOffset date ? Later(date) : null));
            default:
                throw new HubException($"{response.RequestMessage!.RequestUri!.Authority} answers {status} {response.ReasonPhrase} for {file} of {model.Repository}{(hub.Commit is null ? "" : $" at {hub.Commit}")}.");
        }
    }

    private static TimeSpan Later(DateTimeOffset date)
    {
        TimeSpan wait = date - DateTimeOffset.UtcNow;
        return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
    }

    private void RequireSpace(long? needed)
    {
        long free;
        try
        {
            free = new DriveInfo(Path.GetFullPath(folder)).AvailableFreeSpace;
        }
        catch (Exception e) when (e is ArgumentException or IOException or UnauthorizedAccessException)
        {
            return; // unknown; the write will tell
        }

        if (needed > free)
        {
            throw new HubException($"{file} of {model.Repository} needs {needed:#,0} more bytes in {folder}, but {free:#,0} are free; make space, or set ELDER_HOME to another disk.");
        }
    }

    // Trying again does not help against a full disk or a folder that is gone.
    private void RequireSpace(Exception e, PartFile part)
    {
        if (e is not (HttpRequestException or HttpIOException) && e.InnerException is not System.Net.Sockets.SocketException)
        {
            throw new HubException($"{file} of {model.Repository} cannot be written to {folder} after {part.Length} bytes: {e.Message}", e);
        }
    }

    private void Report(long done, long? total, string? note)
    {
        double seconds = _clock.Elapsed.TotalSeconds;
        progress?.Report(new PullProgress(file, place.Number, place.Count, done, total, seconds > 0 ? _received / seconds : 0, note));
    }

    private sealed class RetryException(string message, TimeSpan? wait) : Exception(message)
    {
        public TimeSpan? Wait => wait;
    }
}
