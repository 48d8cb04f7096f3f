using ElderManaged.Tensors.Storage;

namespace ElderManaged.Models.Hub;

/// <summary>Where models are fetched from and kept.</summary>
public sealed record HubOptions
{
    /// <summary>The hub: <c>HF_ENDPOINT</c>, else https://huggingface.co.</summary>
    public Uri Endpoint { get; init; } = new("https://huggingface.co");

    /// <summary>A token for gated models: <c>HF_TOKEN</c>. It is sent to <see cref="Endpoint"/> only, never to where that redirects.</summary>
    public string? Token { get; init; }

    /// <summary>Where models are kept: <c>ELDER_HOME</c>, else the platform's folder for caches.</summary>
    public required string Home { get; init; }

    /// <summary>How long to wait before a second attempt; each further one waits twice as long.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long to wait at most before another attempt, whatever the server asks for.</summary>
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How many attempts in a row may bring nothing new.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>A connection that is silent for so long counts as broken.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>What the environment says.</summary>
    /// <exception cref="HubException"><c>HF_ENDPOINT</c> is no web address.</exception>
    public static HubOptions FromEnvironment()
    {
        HubOptions options = new() { Home = ElderHome.Folder, Token = Variable("HF_TOKEN") };
        if (Variable("HF_ENDPOINT") is not string endpoint)
        {
            return options;
        }

        return Uri.TryCreate(endpoint, UriKind.Absolute, out Uri? address) && (address.Scheme == Uri.UriSchemeHttps || address.Scheme == Uri.UriSchemeHttp)
            ? options with { Endpoint = address }
            : throw new HubException($"HF_ENDPOINT is '{endpoint}', which is no address beginning with https://; correct or remove it.");
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value.Trim() : null;
}
