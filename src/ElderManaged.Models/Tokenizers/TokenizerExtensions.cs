namespace ElderManaged.Models.Tokenizers;

/// <summary>What follows from <see cref="ITokenizer"/>.</summary>
public static class TokenizerExtensions
{
    /// <summary>A prompt as the model expects it: <see cref="ITokenizer.TextPrefix"/>, then the plain text.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="prompt">The text.</param>
    public static int[] EncodePrompt(this ITokenizer tokenizer, string prompt)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return [.. tokenizer.TextPrefix, .. tokenizer.Encode(prompt)];
    }

    /// <summary>A whole text as the model expects it, between <see cref="ITokenizer.TextPrefix"/> and <see cref="ITokenizer.TextSuffix"/>.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="text">The text.</param>
    public static int[] EncodeDocument(this ITokenizer tokenizer, string text)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return [.. tokenizer.TextPrefix, .. tokenizer.Encode(text), .. tokenizer.TextSuffix];
    }
}
