using System.Text.Json;
using System.Text.Json.Serialization;

namespace ElderManaged.Editing.Journal;

/// <summary>One acknowledged step of an edit stream: a batch that was learned, or a fact that was dropped.</summary>
public sealed record JournalRecord
{
    /// <summary>The step's number, from 1 without gaps.</summary>
    public required long Sequence { get; init; }

    /// <summary>The batch, in order; empty when a fact was dropped.</summary>
    public IReadOnlyList<EditRequest> Edits { get; init; } = [];

    /// <summary>The fact that was dropped, or null for a batch.</summary>
    public string? Forgotten { get; init; }

    /// <summary>SHA-256 of the editor's method and options.</summary>
    public required string OptionsHash { get; init; }

    /// <summary>SHA-256 of the base model's files.</summary>
    public required string ModelHash { get; init; }
}

/// <summary>What a state folder belongs to.</summary>
public sealed record StateInfo
{
    /// <summary>The layout of the folder that this version writes.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The layout of the folder.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The editor's name, as <see cref="EditorFactory"/> knows it.</summary>
    public required string Method { get; init; }

    /// <summary>The editor's options as JSON.</summary>
    public required string Options { get; init; }

    /// <summary>The base model's folder when the state was made.</summary>
    public required string ModelFolder { get; init; }

    /// <summary>SHA-256 of the base model's files.</summary>
    public required string ModelHash { get; init; }

    /// <summary>The most edits in one batch of the stream.</summary>
    public int BatchSize { get; init; } = 4;

    /// <summary>Whether targets are trained with the end token.</summary>
    public bool TrainEndToken { get; init; } = true;

    /// <summary>The version of this library that made the state.</summary>
    public string Library { get; init; } = typeof(StateInfo).Assembly.GetName().Version?.ToString(3) ?? "unknown";
}

/// <summary>What a snapshot folder holds, to recognise one that a power failure damaged.</summary>
internal sealed record SnapshotManifest
{
    public required long Sequence { get; init; }

    public required SortedDictionary<string, string> Sha256 { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(JournalRecord))]
[JsonSerializable(typeof(StateInfo))]
[JsonSerializable(typeof(SnapshotManifest))]
internal sealed partial class JournalJson : JsonSerializerContext;
