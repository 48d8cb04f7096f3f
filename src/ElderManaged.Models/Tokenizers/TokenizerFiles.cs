namespace ElderManaged.Models.Tokenizers;

/// <summary>Reads files of bounded size.</summary>
internal static class TokenizerFiles
{
    /// <summary>The whole content of a file.</summary>
    /// <exception cref="InvalidDataException">It is longer than any tokenizer file.</exception>
    public static byte[] ReadAll(string path, long longest)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1);
        if (file.Length > longest)
        {
            throw new InvalidDataException($"{path} has {file.Length} bytes; a tokenizer file has at most {longest}.");
        }

        byte[] content = new byte[file.Length];
        file.ReadExactly(content);
        return content;
    }
}
