using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Models.Tokenizers;

/// <summary>Reads which tokens the post-processor of a <c>tokenizer.json</c> puts before and behind a text.</summary>
internal static class PostProcessor
{
    public static (int[] Prefix, int[] Suffix) Read(JsonField component, TokenizerJsonFile.Vocabulary vocabulary)
    {
        List<int> prefix = [], suffix = [];
        foreach (JsonField part in component.Parts("processors"))
        {
            switch (part.Type())
            {
                case "ByteLevel": // moves the places of tokens in the text, which nobody asks for here
                    break;
                case "TemplateProcessing":
                    ReadTemplate(part, vocabulary, prefix, suffix);
                    break;
                default:
                    throw part["type"].Unsupported(CheckpointException.Quote(part.Type()), "ByteLevel, TemplateProcessing, Sequence");
            }
        }

        return ([.. prefix], [.. suffix]);
    }

    private static void ReadTemplate(JsonField part, TokenizerJsonFile.Vocabulary vocabulary, List<int> prefix, List<int> suffix)
    {
        bool after = false;
        foreach (JsonField item in part["single"].Items())
        {
            if (!item["Sequence"].IsNull)
            {
                after = !after ? true : throw item.Error("has the text a second time");
                continue;
            }

            string name = item["SpecialToken"]["id"].Text();
            foreach (JsonField id in part["special_tokens"][name]["ids"].Items())
            {
                int token = id.Integer();
                if ((uint)token >= (uint)vocabulary.Tokens.Length)
                {
                    throw id.Error($"is {token}, but there are {vocabulary.Tokens.Length} tokens");
                }

                (after ? suffix : prefix).Add(token);
            }
        }

        if (!after)
        {
            throw part["single"].Error("has no place for the text");
        }
    }
}
