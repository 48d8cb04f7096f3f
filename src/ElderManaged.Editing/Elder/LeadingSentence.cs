using ElderManaged.Models;

namespace ElderManaged.Editing.Elder;

/// <summary>The prompt of an edit behind an unrelated sentence: as varied a phrasing as one can have without a second one.</summary>
internal static class LeadingSentence
{
    /// <summary>The sentence and the prompt, or null if there is no sentence or no room. The same edit always gets the same sentence.</summary>
    public static int[]? Before(TransformerModel model, ElderOptions options, EncodedEdit edit)
    {
        int count = options.LeadingSentences.Count;
        if (count == 0)
        {
            return null;
        }

        // FNV-1a over the prompt: nothing needs to be stored to find the sentence again.
        ulong hash = 14695981039346656037UL ^ options.Seed;
        foreach (int id in edit.Prompt)
        {
            hash = (hash ^ (uint)id) * 1099511628211UL;
        }

        int[] sentence = options.LeadingSentences[(int)((hash >> 20) % (ulong)count)], own = edit.Prompt;
        bool begun = sentence[0] == model.Config.BosTokenId && own.Length > 1 && own[0] == sentence[0];
        int length = sentence.Length + own.Length - (begun ? 1 : 0);
        return length + edit.Target.Length - 1 <= model.Config.MaxPositions
            ? [.. sentence, .. own.AsSpan(begun ? 1 : 0)] // a text begins only once
            : null;
    }
}
