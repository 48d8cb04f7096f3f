namespace ElderManaged.Models.Tokenizers;

/// <summary>What happens to a text before it is cut into pieces: characters replaced, spaces dropped, "▁" for spaces.</summary>
internal sealed class SentencePieceNormalizer(SentencePieceOptions options, AddedTokens userDefined)
{
    /// <summary>Normalizes a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="dummy">Whether a space is put before it.</param>
    /// <param name="continues">Whether it goes on after other text, so that its leading space is no extra one.</param>
    public string Normalize(ReadOnlySpan<char> text, DummySpace dummy, bool continues)
    {
        if (options.Characters is not null)
        {
            text = options.Characters.Apply(text, userDefined);
        }

        if (options.RemoveExtraSpaces)
        {
            text = continues ? text : text.TrimStart(' ');
        }

        if (text.IsEmpty)
        {
            return "";
        }

        char[] result = new char[text.Length + 1];
        int n = 0;
        if (dummy == DummySpace.Always || (dummy == DummySpace.UnlessThere && text[0] is not (' ' or PieceTable.Space)))
        {
            result[n++] = PieceTable.Space;
        }

        bool afterSpace = false;
        foreach (char c in text)
        {
            bool space = c == ' ';
            if (!space || !afterSpace || !options.RemoveExtraSpaces)
            {
                result[n++] = space ? PieceTable.Space : c;
            }

            afterSpace = space;
        }

        // Behind the text "▁" that was written out counts as a space, too, down to the one that was put before it.
        while (options.RemoveExtraSpaces && n > 0 && result[n - 1] == PieceTable.Space)
        {
            n--;
        }

        return new string(result, 0, n);
    }
}
