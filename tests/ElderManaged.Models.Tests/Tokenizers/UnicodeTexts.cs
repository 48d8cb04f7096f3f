using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace ElderManaged.Models.Tests.Tokenizers;

/// <summary>Texts for properties.</summary>
internal static class UnicodeTexts
{
    /// <summary>Any text without lone surrogates, rich in what the cuts depend on: spaces, apostrophes, digits, rare planes.</summary>
    public static Arbitrary<string> Any()
    {
        Gen<string> rune = Gen.Choose(0, 0x10FFFF).Where(Rune.IsValid).Select(c => new Rune(c).ToString());
        Gen<string> common = Gen.Elements(
            " ", "  ", "\n", "'", "'s", "'re", "'LL", "a", "the", " the", "1", "123", "é", "数", "𝐀", "😀", "𝟘", "\t", "\r\n", "\u00A0", "\u0301", "▁", "<s>", "...", "$=");
        return Gen.OneOf(rune, common).ListOf().Select(parts => string.Concat(parts)).ToArbitrary();
    }
}
