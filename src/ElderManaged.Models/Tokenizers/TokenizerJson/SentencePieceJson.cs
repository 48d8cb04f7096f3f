using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// The SentencePiece-like kind of <c>tokenizer.json</c>: LLaMA and LLaMA-2, whose scores have become a list of merges. The
/// space before the text is made by a normalizer (Prepend), in newer files by a pre-tokenizer (Metaspace).
/// </summary>
/// <remarks>
/// Two differences from the library on purpose, so that a vocabulary behaves alike in all its file formats: special tokens
/// decode to nothing, and bytes that form no character to one U+FFFD each, as in SentencePiece itself.
/// </remarks>
internal static class SentencePieceJson
{
    public static SentencePieceTokenizer Read(
        JsonField root, TokenizerJsonFile.Vocabulary vocabulary, int? begin, int end, int[] prefix, int[] suffix)
    {
        JsonField model = root["model"];
        Refuse(model["ignore_merges"], model["ignore_merges"].Flag(absent: false), "true", "false with SentencePiece-like tokens");
        (DummySpace space, bool everywhere) = ReadSpaces(root);
        CheckDecoder(root["decoder"]);
        bool byteFallback = model["byte_fallback"].Flag(absent: false);
        string? unknown = model["unk_token"].OptionalText();
        Dictionary<int, AddedToken> added = vocabulary.Added.ToDictionary(token => token.Id);
        Piece[] pieces = [.. vocabulary.Tokens.Select((text, id) => new Piece(text, 0, Kind(text, id)))];
        PieceKind Kind(string text, int id) =>
            text == unknown ? PieceKind.Unknown
            : added.TryGetValue(id, out AddedToken? token) && token.Special ? PieceKind.Control
            : byteFallback && PieceTable.ByteOf(text) is not null ? PieceKind.Byte
            : PieceKind.Normal;
        return new SentencePieceTokenizer(new SentencePieceOptions
        {
            Source = root.File, Pieces = pieces, Merges = vocabulary.Merges, Added = vocabulary.Added,
            DummySpace = space, DummySpaceAfterAdded = everywhere, ByteFallback = byteFallback,
            FuseUnknown = model["fuse_unk"].Flag(absent: false), UnknownText = unknown ?? "",
            BeginOfTextId = begin, EndOfTextId = end, Prefix = prefix, Suffix = suffix,
        });
    }

    private static (DummySpace Space, bool Everywhere) ReadSpaces(JsonField root)
    {
        (DummySpace Space, bool Everywhere) rule = (DummySpace.None, true);
        bool replaced = false;
        foreach (JsonField part in root["normalizer"].Parts("normalizers"))
        {
            switch (part.Type())
            {
                case "Prepend":
                    RequireText(part["prepend"], "▁");
                    rule = (DummySpace.Always, true);
                    break;
                case "Replace":
                    RequireText(part["pattern"]["String"], " ");
                    RequireText(part["content"], "▁");
                    replaced = true;
                    break;
                default:
                    throw part["type"].Unsupported(CheckpointException.Quote(part.Type()), "Prepend, Replace, Sequence");
            }
        }

        foreach (JsonField part in root["pre_tokenizer"].Parts("pretokenizers"))
        {
            if (part.Type() != "Metaspace")
            {
                throw part["type"].Unsupported(CheckpointException.Quote(part.Type()), "ByteLevel, Digits, Split, Metaspace, Sequence");
            }

            RequireText(part["replacement"], "▁");
            Refuse(part["split"], part["split"].Flag(absent: true), "true", "false");
            string scheme = part["prepend_scheme"].OptionalText() ?? (part["add_prefix_space"].Flag(absent: true) ? "always" : "never");
            rule = scheme switch
            {
                "always" => (DummySpace.UnlessThere, true),
                "first" => (DummySpace.UnlessThere, false),
                "never" => (DummySpace.None, false),
                _ => throw part["prepend_scheme"].Unsupported(CheckpointException.Quote(scheme), "always, first, never"),
            };
            replaced = true;
        }

        return replaced ? rule : throw root["pre_tokenizer"].Error("and the normalizer neither are byte-level nor write spaces as '▁'; other kinds of tokenizer.json are not supported");
    }

    private static void CheckDecoder(JsonField decoder)
    {
        foreach (JsonField part in decoder.Parts("decoders"))
        {
            switch (part.Type())
            {
                case "Replace":
                    RequireText(part["pattern"]["String"], "▁");
                    RequireText(part["content"], " ");
                    break;
                case "Strip":
                    RequireText(part["content"], " ");
                    Refuse(part["start"], part["start"].Integer() != 1, "not 1", "1");
                    Refuse(part["stop"], part["stop"].Integer() != 0, "not 0", "0");
                    break;
                case "ByteFallback" or "Fuse" or "Metaspace":
                    break;
                default:
                    throw part["type"].Unsupported(CheckpointException.Quote(part.Type()), "Replace, ByteFallback, Fuse, Strip, Metaspace, Sequence");
            }
        }
    }

    private static void RequireText(JsonField field, string expected) =>
        Refuse(field, field.Text() != expected, CheckpointException.Quote(field.Text()), CheckpointException.Quote(expected));

    private static void Refuse(JsonField field, bool refused, string what, string supported)
    {
        if (refused)
        {
            throw field.Unsupported(what, supported);
        }
    }
}
