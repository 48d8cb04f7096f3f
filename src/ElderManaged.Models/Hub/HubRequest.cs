using System.Net;
using System.Net.Http.Headers;

namespace ElderManaged.Models.Hub;

/// <summary>What the hub says about a file before it is read.</summary>
/// <param name="Checksum">64 hexadecimal digits: SHA-256; 40: git's SHA-1 of a blob; anything else is no checksum; null if nothing is said.</param>
/// <param name="Size">Its length, if it is said.</param>
/// <param name="Commit">The commit it is of, if it is said.</param>
internal sealed record HubFile(string? Checksum, long? Size, string? Commit)
{
    public bool IsSha256 => Checksum is { Length: 64 } && Checksum.All(char.IsAsciiHexDigit);

    public bool IsGitSha1 => Checksum is { Length: 40 } && Checksum.All(char.IsAsciiHexDigit);
}

/// <summary>Sends a request for a file and follows redirects by hand.</summary>
internal static class HubRequest
{
    private const int MostRedirects = 10;

    /// <summary>Gets the answer that has the content (or the error), and what the hub said on the way.</summary>
    /// <param name="http">The connections.</param>
    /// <param name="options">Endpoint and token.</param>
    /// <param name="address">The file's address on the hub.</param>
    /// <param name="start">The first byte that is wanted.</param>
    /// <param name="tag">The entity tag that the bytes before had; null if none is known.</param>
    /// <param name="cancellationToken">Stops.</param>
    public static async Task<(HttpResponseMessage Response, HubFile File)> SendAsync(
        HttpClient http, HubOptions options, Uri address, long start, EntityTagHeaderValue? tag, CancellationToken cancellationToken)
    {
        HubFile file = new(null, null, null);
        for (int redirects = 0; ; redirects++)
        {
            using HttpRequestMessage request = new(HttpMethod.Get, address);
            request.Headers.AcceptEncoding.ParseAdd("identity");
            if (start > 0)
            {
                request.Headers.Range = new RangeHeaderValue(start, null);
                request.Headers.IfRange = tag is { IsWeak: false } ? new RangeConditionHeaderValue(tag) : null;
            }

            if (options.Token is string token && MaySeeToken(options.Endpoint, address))
            {
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            }

            HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
            file = Read(response, file);
            if (response.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
            {
                return (response, file);
            }

            using (response)
            {
                Uri next = response.Headers.Location is Uri location
                    ? new Uri(address, location)
                    : throw new HubException($"{address.Authority} redirects without saying where to.");
                if (redirects == MostRedirects)
                {
                    throw new HubException($"{options.Endpoint.Authority} redirects more than {MostRedirects} times, last to {next.Authority}.");
                }

                bool downgrade = address.Scheme == Uri.UriSchemeHttps && next.Scheme != Uri.UriSchemeHttps;
                if (downgrade || (next.Scheme != Uri.UriSchemeHttps && next.Scheme != Uri.UriSchemeHttp))
                {
                    throw new HubException($"{address.Authority} redirects to an address without encryption ({next.Scheme}://{next.Authority}), which is refused.");
                }

                address = next;
            }
        }
    }

    /// <summary>Only the endpoint itself, and not in the clear except on this machine.</summary>
    private static bool MaySeeToken(Uri endpoint, Uri address) =>
        Uri.Compare(endpoint, address, UriComponents.SchemeAndServer, UriFormat.UriEscaped, StringComparison.OrdinalIgnoreCase) == 0
        && (address.Scheme == Uri.UriSchemeHttps || address.IsLoopback);

    // The hub's own answer names the file's identity (X-Linked-...); the storage it redirects to has other tags.
    private static HubFile Read(HttpResponseMessage response, HubFile known)
    {
        string? linked = Header(response, "X-Linked-ETag");
        long? size = long.TryParse(Header(response, "X-Linked-Size"), out long linkedSize) && linkedSize >= 0 ? linkedSize : null;
        string? tag = linked ?? (response.IsSuccessStatusCode && known.Checksum is null ? response.Headers.ETag?.Tag : null);
        return new HubFile(known.Checksum ?? Bare(tag), known.Size ?? size, known.Commit ?? Header(response, "X-Repo-Commit"));
    }

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values) ? values.First() : null;

    private static string? Bare(string? tag)
    {
        string? text = tag?.StartsWith("W/", StringComparison.Ordinal) == true ? tag[2..] : tag;
        return text?.Trim('"').ToLowerInvariant();
    }
}
