using System.Text;

namespace ElderManaged.Models.Checkpoints;

/// <summary>A checkpoint (weights or configuration) is damaged, incomplete, or not what the model expects.</summary>
/// <remarks>The message is one sentence that names the file and, where there is one, the tensor or field.</remarks>
public sealed class CheckpointException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">One sentence: which file, which tensor or field, what is wrong, what to do.</param>
    /// <param name="inner">The underlying error, if any.</param>
    public CheckpointException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>Quotes a name from an untrusted file: control characters made visible, very long names shortened.</summary>
    internal static string Quote(string name)
    {
        const int longest = 120;
        var text = new StringBuilder("'");
        foreach (char c in name.Length > longest ? name.AsSpan(0, longest) : name.AsSpan())
        {
            if (char.IsControl(c) || char.IsSurrogate(c))
            {
                text.Append($"\\u{(int)c:x4}");
            }
            else
            {
                text.Append(c);
            }
        }

        return text.Append(name.Length > longest ? "…'" : "'").ToString();
    }

    /// <summary>A shape as it is written in messages: <c>[2, 3]</c>.</summary>
    internal static string Describe(ReadOnlySpan<long> shape)
    {
        var text = new StringBuilder("[");
        for (int i = 0; i < shape.Length; i++)
        {
            text.Append(i == 0 ? "" : ", ").Append(shape[i]);
        }

        return text.Append(']').ToString();
    }
}
