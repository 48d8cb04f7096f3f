using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Models.Tokenizers;

/// <summary>The byte-level kind of <c>tokenizer.json</c>: GPT-2, SmolLM, LLaMA-3.</summary>
internal static class ByteLevelJson
{
    public static ByteLevelBpe Read(JsonField root, TokenizerJsonFile.Vocabulary vocabulary, ByteLevelOptions options)
    {
        JsonField model = root["model"];
        Refuse(root["normalizer"], !root["normalizer"].IsNull, root["normalizer"].Type(), "none with byte-level tokens");
        Refuse(model["byte_fallback"], model["byte_fallback"].Flag(absent: false), "true", "false with byte-level tokens");
        string decoder = root["decoder"].Type();
        Refuse(root["decoder"], decoder is not ("ByteLevel" or "none"), decoder, "ByteLevel with byte-level tokens");
        string? unknown = model["unk_token"].OptionalText();
        options = options with
        {
            Words = Words(root["pre_tokenizer"]),
            WholeWordsFirst = model["ignore_merges"].Flag(absent: false),
            MayLackBytes = true,
            UnknownId = unknown is null ? null : vocabulary.Find(unknown) ?? throw model["unk_token"].Error($"is {CheckpointException.Quote(unknown)}, which is not in the vocabulary"),
        };
        try
        {
            return new ByteLevelBpe(
                vocabulary.Tokens,
                [.. vocabulary.Merges.Select(m => (vocabulary.Tokens[m.Left], vocabulary.Tokens[m.Right]))],
                _ => options);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{root.File}: {e.Message}", e);
        }
    }

    private static WordSplitter Words(JsonField component)
    {
        List<WordSplitter> splitters = [];
        foreach (JsonField part in component.Parts("pretokenizers"))
        {
            switch (part.Type())
            {
                case "ByteLevel":
                    Refuse(part["add_prefix_space"], part["add_prefix_space"].Flag(absent: true), "true", "false");
                    if (part["use_regex"].Flag(absent: true))
                    {
                        splitters.Add(WordSplitter.Gpt2);
                    }

                    break;
                case "Digits":
                    splitters.Add(WordSplitter.Digits(part["individual_digits"].Flag(absent: false)));
                    break;
                case "Split":
                    splitters.Add(Split(part));
                    break;
                default:
                    throw part["type"].Unsupported(CheckpointException.Quote(part.Type()), "ByteLevel, Digits, Split, Sequence");
            }
        }

        return WordSplitter.Chain(splitters);
    }

    private static WordSplitter Split(JsonField part)
    {
        JsonField pattern = part["pattern"]["Regex"];
        string behavior = part["behavior"].Text();
        bool invert = part["invert"].Flag(absent: false);
        // The patterns known cover every text, so that keeping the matches and dropping what lies between are the same.
        Refuse(part["behavior"], (behavior, invert) is not (("Isolated", false) or ("Removed", true)), $"{behavior} with invert = {invert}", "Isolated, or Removed with invert = true");
        return WordSplitter.ForPattern(pattern.Text())
            ?? throw pattern.Unsupported($"the expression {CheckpointException.Quote(pattern.Text())}", "those of GPT-2 and LLaMA-3");
    }

    private static void Refuse(JsonField field, bool refused, string what, string supported)
    {
        if (refused)
        {
            throw field.Unsupported(what, supported);
        }
    }
}
