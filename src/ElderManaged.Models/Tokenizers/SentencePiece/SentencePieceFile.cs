namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// Reads SentencePiece's <c>tokenizer.model</c>, a Protocol Buffers message (sentencepiece_model.proto): the pieces with
/// scores and kinds, how they were trained, how text is normalized.
/// </summary>
internal static class SentencePieceFile
{
    private const long LongestFile = 256L << 20;
    private static readonly string[] ModelTypes = ["", "unigram", "bpe", "word", "char"];

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="addsBegin">Whether the model expects the begin token before texts; LLaMA's does.</param>
    /// <param name="addsEnd">Whether the model expects the end token behind texts.</param>
    public static SentencePieceTokenizer Load(string path, bool addsBegin = true, bool addsEnd = false)
    {
        byte[] content = TokenizerFiles.ReadAll(path, LongestFile);
        return new SentencePieceTokenizer(Read(content, path, addsBegin, addsEnd));
    }

    internal static SentencePieceOptions Read(ReadOnlySpan<byte> content, string source, bool addsBegin, bool addsEnd)
    {
        List<Piece> pieces = [];
        long modelType = 1;
        bool suffixSpace = false, byteFallback = false, dummy = true, removeExtra = true, escape = true;
        string unknownText = " \u2047 ", begin = "<s>", end = "</s>";
        CharacterMap? characters = null;
        ProtobufReader model = new(content, source);
        while (model.Next())
        {
            switch (model.Field)
            {
                case 1:
                    pieces.Add(ReadPiece(model.Message()));
                    break;
                case 2:
                    for (ProtobufReader trainer = model.Message(); trainer.Next();)
                    {
                        switch (trainer.Field)
                        {
                            case 3: modelType = trainer.Integer(); break;
                            case 24: suffixSpace = trainer.Boolean(); break;
                            case 35: byteFallback = trainer.Boolean(); break;
                            case 44: unknownText = trainer.Text(); break;
                            case 46: begin = trainer.Text(); break;
                            case 47: end = trainer.Text(); break;
                            default: trainer.Skip(); break;
                        }
                    }

                    break;
                case 3:
                    for (ProtobufReader normalizer = model.Message(); normalizer.Next();)
                    {
                        switch (normalizer.Field)
                        {
                            case 2: characters = CharacterMap.Read(normalizer.Bytes(), source); break;
                            case 3: dummy = normalizer.Boolean(); break;
                            case 4: removeExtra = normalizer.Boolean(); break;
                            case 5: escape = normalizer.Boolean(); break;
                            default: normalizer.Skip(); break;
                        }
                    }

                    break;
                case 5:
                    for (ProtobufReader denormalizer = model.Message(); denormalizer.Next();)
                    {
                        Refuse(denormalizer.Field == 2 && denormalizer.Bytes().Length > 0, source, "has rules for decoded text (denormalizer_spec)");
                        if (denormalizer.Field != 2)
                        {
                            denormalizer.Skip();
                        }
                    }

                    break;
                default:
                    model.Skip();
                    break;
            }
        }

        if (pieces.Count == 0)
        {
            throw new InvalidDataException($"{source} has no tokens; is it a SentencePiece model?");
        }

        Refuse(modelType is not (1 or 2), source, $"is of the type {(modelType is 3 or 4 ? ModelTypes[modelType] : modelType)}; supported are bpe and unigram");
        Refuse(suffixSpace, source, "puts the space behind words (treat_whitespace_as_suffix)");
        Refuse(!escape, source, "keeps spaces as they are (escape_whitespaces = false)");
        int beginId = IndexOf(pieces, begin), endId = IndexOf(pieces, end);
        if (endId < 0)
        {
            throw new InvalidDataException($"{source} has no control token '{end}' that ends a text.");
        }

        return new SentencePieceOptions
        {
            Source = source, Pieces = [.. pieces], Unigram = modelType == 1, Characters = characters, ByteFallback = byteFallback,
            DummySpace = dummy ? DummySpace.Always : DummySpace.None, RemoveExtraSpaces = removeExtra, UnknownText = unknownText,
            BeginOfTextId = beginId < 0 ? null : beginId, EndOfTextId = endId,
            Prefix = addsBegin && beginId >= 0 ? [beginId] : [], Suffix = addsEnd ? [endId] : [],
        };
    }

    private static Piece ReadPiece(ProtobufReader message)
    {
        string text = "";
        float score = 0;
        long kind = (long)PieceKind.Normal;
        while (message.Next())
        {
            switch (message.Field)
            {
                case 1: text = message.Text(); break;
                case 2: score = message.Float(); break;
                case 3: kind = message.Integer(); break;
                default: message.Skip(); break;
            }
        }

        return new Piece(text, score, (PieceKind)(int)Math.Clamp(kind, 0, 7));
    }

    private static int IndexOf(List<Piece> pieces, string text) => pieces.FindIndex(p => p.Kind == PieceKind.Control && p.Text == text);

    private static void Refuse(bool refused, string source, string what)
    {
        if (refused)
        {
            throw new InvalidDataException($"{source} {what}, which is not supported.");
        }
    }
}
