using System.Collections;

namespace ElderManaged.Models;

/// <summary>A short immutable list of token ids that compares by content, so that configurations holding it do too.</summary>
public sealed class TokenIds : IReadOnlyList<int>, IEquatable<TokenIds>
{
    private readonly int[] _ids;

    /// <summary>Creates the list from a copy of <paramref name="ids"/>.</summary>
    /// <param name="ids">Token ids, the preferred one first.</param>
    public TokenIds(params ReadOnlySpan<int> ids) => _ids = ids.ToArray();

    /// <summary>The empty list.</summary>
    public static TokenIds None { get; } = new();

    /// <inheritdoc/>
    public int Count => _ids.Length;

    /// <inheritdoc/>
    public int this[int index] => _ids[index];

    /// <inheritdoc/>
    public bool Equals(TokenIds? other) => other is not null && _ids.AsSpan().SequenceEqual(other._ids);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TokenIds);

    /// <inheritdoc/>
    public override int GetHashCode() => _ids.Length == 0 ? 0 : HashCode.Combine(_ids.Length, _ids[0]);

    /// <inheritdoc/>
    public IEnumerator<int> GetEnumerator() => ((IEnumerable<int>)_ids).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _ids.GetEnumerator();

    /// <inheritdoc/>
    public override string ToString() => $"[{string.Join(", ", _ids)}]";
}
