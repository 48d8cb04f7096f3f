using ElderManaged.Models;
using ElderManaged.Models.Tokenizers;

namespace ElderManaged.Editing;

/// <summary>
/// Turns requests into tokens: the prompt as it stands, the target after one space and closed by the end token, so that
/// the edited model also learns where its answer ends.
/// </summary>
/// <remarks>Immutable, hence safe to share between threads.</remarks>
public sealed class EditEncoder
{
    private readonly ITokenizer tokenizer;
    private readonly int endToken, maxPositions;

    /// <summary>An encoder without a limit of length.</summary>
    /// <param name="tokenizer">The base model's tokenizer.</param>
    /// <param name="trainEndToken">
    /// Whether the target ends with the end token. The authors of ELDER train without it, and free generation then runs
    /// on past the answer.
    /// </param>
    public EditEncoder(ITokenizer tokenizer, bool trainEndToken = true)
        : this(tokenizer, trainEndToken, null)
    {
    }

    /// <summary>An encoder that refuses what the model has no positions for, and ends targets as the model ends texts.</summary>
    /// <param name="tokenizer">The base model's tokenizer.</param>
    /// <param name="trainEndToken">Whether the target ends with the end token.</param>
    /// <param name="model">The base model's configuration; null for no limit and the tokenizer's own end token.</param>
    public EditEncoder(ITokenizer tokenizer, bool trainEndToken, ModelConfig? model)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        this.tokenizer = tokenizer;
        TrainsEndToken = trainEndToken;
        endToken = model is { EosTokenIds.Count: > 0 } ? model.EosTokenIds[0] : tokenizer.EndOfTextId;
        maxPositions = model?.MaxPositions ?? int.MaxValue;
    }

    /// <summary>Whether targets end with the end token.</summary>
    public bool TrainsEndToken { get; }

    /// <summary>Encodes one request.</summary>
    /// <exception cref="EditException">The prompt or the target is blank, not valid Unicode, or too long.</exception>
    public EncodedEdit Encode(EditRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        string prompt = Checked(request.Prompt, "prompt").TrimEnd();
        string target = Checked(request.Target, $"target of the prompt {EditException.Quote(prompt)}").Trim();
        string subject = (request.Subject ?? "").Trim();
        int[] promptIds = tokenizer.EncodePrompt(prompt);
        int[] targetIds = tokenizer.EncodeContinuation(" " + target);
        if (TrainsEndToken)
        {
            targetIds = [.. targetIds, endToken];
        }

        // The last target token is predicted, never read, so it needs no position.
        int needed = promptIds.Length + targetIds.Length - 1;
        if (needed > maxPositions)
        {
            throw new EditException(
                $"The edit {EditException.Quote(prompt)} has {promptIds.Length} prompt and {targetIds.Length} target tokens and needs {needed} positions; " +
                $"the model knows {maxPositions}. Shorten the prompt or the target.");
        }

        string factId = FactIdOf(request);
        RequireUnicode(factId, "fact id");
        RequireUnicode(subject, "subject");
        return new EncodedEdit(factId, promptIds, targetIds, subject.Length == 0 ? [] : tokenizer.EncodeContinuation(" " + subject));
    }

    /// <summary>Encodes a prompt that is to be answered.</summary>
    /// <exception cref="EditException">The prompt is blank, not valid Unicode, or too long.</exception>
    public int[] EncodePrompt(string prompt)
    {
        int[] ids = tokenizer.EncodePrompt(Checked(prompt, "prompt").TrimEnd());
        return ids.Length <= maxPositions
            ? ids
            : throw new EditException($"The prompt {EditException.Quote(prompt)} has {ids.Length} tokens; the model knows {maxPositions} positions. Shorten it.");
    }

    /// <summary>The fact's id: the one the request names, or else prompt and target together, <c>prompt → target</c>.</summary>
    public static string FactIdOf(EditRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return string.IsNullOrWhiteSpace(request.FactId) ? $"{request.Prompt.TrimEnd()} → {request.Target.Trim()}" : request.FactId;
    }

    private static string Checked(string? text, string what)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            throw new EditException($"The {what} is empty; give at least one word.");
        }

        RequireUnicode(text, what);
        return text;
    }

    // Half a surrogate pair cannot be written as UTF-8, so the journal could not give the text back.
    private static void RequireUnicode(string text, string what)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsSurrogate(text[i]) && !(char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[++i])))
            {
                throw new EditException($"The {what} {EditException.Quote(text)} is not valid Unicode: half a surrogate pair at character {i}. Repair the text.");
            }
        }
    }
}
