using System.Globalization;
using System.Text;

namespace ElderManaged.Models.Tokenizers;

/// <summary>What a space before the first word of a text means.</summary>
internal enum LeadingSpace
{
    /// <summary>It belongs to the text.</summary>
    Kept,

    /// <summary>The encoder has put it there: the first token loses it.</summary>
    OneDropped,

    /// <summary>The encoder removes spaces before a text: each token loses one until something else has come.</summary>
    AllDropped,
}

/// <summary>The bytes that each token stands for, and how their sequence becomes text.</summary>
/// <param name="bytes">The bytes of the tokens in order of their ids.</param>
/// <param name="encoding">UTF-8 with the family's way to replace what is no character.</param>
/// <param name="leading">What happens to a space at the beginning.</param>
/// <param name="dropsSpace">For each token whether such a space may be dropped from it; null for all.</param>
internal sealed class TokenBytes(byte[][] bytes, Encoding encoding, LeadingSpace leading, bool[]? dropsSpace = null)
{
    /// <summary>One U+FFFD for each maximal part of a character, as Unicode recommends and Rust and Python do.</summary>
    public static Encoding OneForEachPart { get; } = new UTF8Encoding(false);

    /// <summary>One U+FFFD for each byte, as SentencePiece does.</summary>
    public static Encoding OneForEachByte { get; } = Encoding.GetEncoding("utf-8", EncoderFallback.ReplacementFallback, new EachByteFallback());

    public Encoding Encoding => encoding;

    public int Count => bytes.Length;

    /// <summary>The bytes of a token inside a text.</summary>
    public ReadOnlySpan<byte> this[int id] => (uint)id < (uint)bytes.Length
        ? bytes[id]
        : throw new ArgumentOutOfRangeException(nameof(id), id, string.Create(CultureInfo.InvariantCulture, $"Token ids run from 0 to {bytes.Length - 1}."));

    /// <summary>The bytes of the next token of a text.</summary>
    /// <param name="id">The token.</param>
    /// <param name="atStart">Whether a leading space is still dropped.</param>
    public ReadOnlySpan<byte> Next(int id, ref bool atStart)
    {
        ReadOnlySpan<byte> token = this[id];
        if (!atStart || leading == LeadingSpace.Kept || token.Length == 0)
        {
            return token;
        }

        bool drop = token[0] == (byte)' ' && (dropsSpace is null || dropsSpace[id]);
        token = drop ? token[1..] : token;
        atStart = drop && leading == LeadingSpace.AllDropped && token.Length == 0;
        return token;
    }

    public string Decode(ReadOnlySpan<int> ids)
    {
        int length = 0;
        foreach (int id in ids)
        {
            length += this[id].Length;
        }

        byte[] all = new byte[length];
        int n = 0;
        bool atStart = true;
        foreach (int id in ids)
        {
            ReadOnlySpan<byte> token = Next(id, ref atStart);
            token.CopyTo(all.AsSpan(n));
            n += token.Length;
        }

        return encoding.GetString(all, 0, n);
    }

    public string Text(int id) => encoding.GetString(this[id]);

    private sealed class EachByteFallback : DecoderFallback
    {
        public override int MaxCharCount => 4;

        public override DecoderFallbackBuffer CreateFallbackBuffer() => new Buffer();

        private sealed class Buffer : DecoderFallbackBuffer
        {
            private int _given, _count;

            public override int Remaining => _count - _given;

            public override bool Fallback(byte[] bytesUnknown, int index)
            {
                (_given, _count) = (0, bytesUnknown.Length);
                return true;
            }

            public override char GetNextChar()
            {
                if (_given >= _count)
                {
                    return '\0';
                }

                _given++;
                return '\uFFFD';
            }

            public override bool MovePrevious()
            {
                if (_given == 0)
                {
                    return false;
                }

                _given--;
                return true;
            }

            public override void Reset() => (_given, _count) = (0, 0);
        }
    }
}
