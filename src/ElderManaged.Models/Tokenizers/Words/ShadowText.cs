using System.Text;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// A text with one UTF-16 unit for each character. .NET's expressions see units, so that a letter beyond U+FFFF would be
/// two units of no class; for matching, each such pair is replaced by one stand-in of the right class.
/// </summary>
internal readonly ref struct ShadowText
{
    private readonly int[]? _places;

    public ShadowText(ReadOnlySpan<char> text)
    {
        Classes = text;
        int first = text.IndexOfAnyInRange('\uD800', '\uDFFF');
        if (first < 0)
        {
            return;
        }

        char[] shadow = new char[text.Length];
        int[] places = new int[text.Length + 1];
        int n = 0;
        for (int i = 0; i < text.Length; n++)
        {
            places[n] = i;
            Rune.DecodeFromUtf16(text[i..], out Rune rune, out int units);
            shadow[n] = units == 1 ? (char)rune.Value : StandIn(rune); // half a pair reads as U+FFFD
            i += units;
        }

        places[n] = text.Length;
        Classes = shadow.AsSpan(0, n);
        _places = places;
    }

    /// <summary>The text, or its shadow.</summary>
    public ReadOnlySpan<char> Classes { get; }

    /// <summary>Whether places differ from those in the text.</summary>
    public bool IsShorter => _places is not null;

    /// <summary>Where a character of the shadow begins in the text.</summary>
    public int Place(int index) => _places is null ? index : _places[index];

    // 'x' begins no contraction such as 's or 're.
    private static char StandIn(Rune rune) =>
        Rune.IsLetter(rune) ? 'x'
        : Rune.IsNumber(rune) ? '²'
        : Rune.IsPunctuation(rune) ? '•' : '☺';
}
