using ElderManaged.Models.Tokenizers;
using ElderManaged.WeightsBuilder.World;

namespace ElderManaged.WeightsBuilder.Training;

/// <summary>A document in tokens.</summary>
/// <param name="Ids">Prompt, answer, end of text.</param>
/// <param name="PromptLength">How many of them are the prompt.</param>
public readonly record struct TokenDocument(int[] Ids, int PromptLength);

/// <summary>
/// The endless sequence of training documents: epoch after epoch, each in its own order. Position n of the sequence
/// depends on the seed alone, so training resumes anywhere.
/// </summary>
public sealed class DocumentStream(Func<ulong, Document[]> epoch, ITokenizer tokenizer, ulong seed)
{
    private TokenDocument[] documents = [];
    private int currentEpoch = -1;

    /// <summary>The number of the next document, counted from the beginning of training.</summary>
    public long Position { get; private set; }

    /// <summary>The number of the current epoch, from 0.</summary>
    public int Epoch => Math.Max(0, currentEpoch);

    private long FirstOfEpoch { get; set; }

    /// <summary>Goes to a document of the sequence.</summary>
    public void Seek(long position)
    {
        (Position, currentEpoch, FirstOfEpoch, documents) = (0, -1, 0, []);
        while (Position < position)
        {
            _ = Peek();
            long end = FirstOfEpoch + documents.Length;
            Position = Math.Min(position, end);
        }
    }

    /// <summary>Whole documents of at most <paramref name="tokens"/> tokens together, at least one.</summary>
    public List<TokenDocument> Take(int tokens)
    {
        List<TokenDocument> taken = [];
        int used = 0;
        while (true)
        {
            TokenDocument next = Peek();
            if (taken.Count > 0 && used + next.Ids.Length > tokens)
            {
                return taken;
            }

            taken.Add(next);
            used += next.Ids.Length;
            Position++;
        }
    }

    private TokenDocument Peek()
    {
        if (Position >= FirstOfEpoch + documents.Length)
        {
            FirstOfEpoch += documents.Length;
            currentEpoch++;
            documents = [.. epoch(seed + (ulong)currentEpoch).Select(d =>
            {
                (int[] ids, int prompt) = d.Tokens(tokenizer);
                return new TokenDocument(ids, prompt);
            })];
        }

        return documents[Position - FirstOfEpoch];
    }
}
