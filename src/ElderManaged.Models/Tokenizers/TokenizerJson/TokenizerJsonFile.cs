using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Models.Tokenizers;

/// <summary>
/// Reads Hugging Face's <c>tokenizer.json</c>, which describes a chain of components: normalizer, pre-tokenizer, model,
/// post-processor, decoder, and tokens added to the model's. What GPT-2, SmolLM, LLaMA, LLaMA-2 and LLaMA-3 use is
/// supported, everything else refused by its name: a component left out would give other ids without anybody noticing.
/// </summary>
internal static class TokenizerJsonFile
{
    private const long LongestFile = 256L << 20;
    private const int MostTokens = 1 << 24;

    /// <summary>Reads the file, and which tokens begin and end texts from <c>tokenizer_config.json</c> beside it, if there.</summary>
    public static ITokenizer Load(string path) => JsonField.Read(path, LongestFile, root => Read(root, TokenizerConfig.Beside(path)));

    private static ITokenizer Read(JsonField root, TokenizerConfig config)
    {
        JsonField model = root["model"];
        string type = model["type"].OptionalText() ?? (model["merges"].IsNull ? "none" : "BPE");
        if (type != "BPE")
        {
            throw model["type"].Unsupported(CheckpointException.Quote(type), "BPE");
        }

        foreach (string name in (ReadOnlySpan<string>)["dropout", "continuing_subword_prefix", "end_of_word_suffix"])
        {
            JsonField option = model[name];
            if (!option.IsNull && !(option.Value.ValueKind == System.Text.Json.JsonValueKind.String && option.Text().Length == 0))
            {
                throw option.Unsupported("set", "null");
            }
        }

        Vocabulary vocabulary = Vocabulary.Read(root, model);
        (int? begin, int end) = config.BeginAndEnd(vocabulary, root);
        (int[] prefix, int[] suffix) = PostProcessor.Read(root["post_processor"], vocabulary);
        bool byteLevel = root["pre_tokenizer"].Parts("pretokenizers").Any(part => part.Type() == "ByteLevel");
        return byteLevel
            ? ByteLevelJson.Read(root, vocabulary, new ByteLevelOptions { Added = vocabulary.Added, BeginOfTextId = begin, EndOfTextId = end, Prefix = prefix, Suffix = suffix })
            : SentencePieceJson.Read(root, vocabulary, begin, end, prefix, suffix);
    }

    /// <summary>The model's tokens and those added to them.</summary>
    internal sealed class Vocabulary
    {
        private readonly Dictionary<string, int> _ids;

        private Vocabulary(Dictionary<string, int> ids, string[] tokens, List<AddedToken> added, List<(int, int)> merges) =>
            (_ids, Tokens, Added, Merges) = (ids, tokens, added, merges);

        /// <summary>All tokens in order of their ids.</summary>
        public string[] Tokens { get; }

        public List<AddedToken> Added { get; }

        /// <summary>The merges as ids.</summary>
        public List<(int Left, int Right)> Merges { get; }

        public int? Find(string token) => _ids.TryGetValue(token, out int id) ? id : null;

        public static Vocabulary Read(JsonField root, JsonField model)
        {
            Dictionary<string, int> ids = new(StringComparer.Ordinal);
            foreach ((string token, JsonField id) in model["vocab"].Members())
            {
                Add(ids, token, id.Integer(), id);
            }

            List<AddedToken> added = [];
            JsonField list = root["added_tokens"];
            foreach (JsonField token in list.IsNull ? [] : list.Items())
            {
                foreach (string option in (ReadOnlySpan<string>)["single_word", "lstrip", "rstrip"])
                {
                    if (token[option].Flag(absent: false))
                    {
                        throw token[option].Unsupported("true", "false");
                    }
                }

                string text = token["content"].Text();
                int id = token["id"].Integer();
                if (!ids.TryGetValue(text, out int known))
                {
                    Add(ids, text, id, token["id"]);
                }
                else if (known != id)
                {
                    throw token["id"].Error($"gives the token {CheckpointException.Quote(text)} the id {id}, but the vocabulary {known}");
                }

                added.Add(new AddedToken(text, id, token["special"].Flag(absent: false)));
            }

            string?[] tokens = new string?[ids.Count];
            foreach ((string token, int id) in ids)
            {
                if ((uint)id >= (uint)tokens.Length)
                {
                    throw model["vocab"].Error($"and the added tokens have {tokens.Length} ids, so they must be 0 to {tokens.Length - 1}, but {CheckpointException.Quote(token)} has {id}");
                }

                if (tokens[id] is string other)
                {
                    throw model["vocab"].Error($"gives {CheckpointException.Quote(other)} and {CheckpointException.Quote(token)} the same id {id}");
                }

                tokens[id] = token;
            }

            return new Vocabulary(ids, tokens!, added, ReadMerges(model["merges"], ids));
        }

        private static void Add(Dictionary<string, int> ids, string token, int id, JsonField place)
        {
            if (!ids.TryAdd(token, id))
            {
                throw place.Error($"has the token {CheckpointException.Quote(token)} twice");
            }

            if (ids.Count > MostTokens)
            {
                throw place.Error($"has more than {MostTokens} tokens");
            }
        }

        // "a b", or since 2024 ["a", "b"].
        private static List<(int, int)> ReadMerges(JsonField merges, Dictionary<string, int> ids)
        {
            List<(int, int)> result = [];
            foreach (JsonField merge in merges.Items())
            {
                string left, right;
                if (merge.Value.ValueKind == System.Text.Json.JsonValueKind.Array)
                {
                    JsonField[] parts = [.. merge.Items()];
                    (left, right) = parts.Length == 2 ? (parts[0].Text(), parts[1].Text()) : throw merge.Error("must be two tokens");
                }
                else
                {
                    string text = merge.Text();
                    int space = text.IndexOf(' ', StringComparison.Ordinal);
                    (left, right) = space > 0 && space < text.Length - 1 && text.IndexOf(' ', space + 1) < 0
                        ? (text[..space], text[(space + 1)..])
                        : throw merge.Error($"must be two tokens with one space between, but is {CheckpointException.Quote(text)}");
                }

                int Id(string token) => ids.TryGetValue(token, out int id)
                    ? id : throw merge.Error($"joins {CheckpointException.Quote(token)}, which is not in the vocabulary");
                result.Add((Id(left), Id(right)));
            }

            return result;
        }
    }
}
