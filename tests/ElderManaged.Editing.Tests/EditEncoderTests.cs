using ElderManaged.Models.Tokenizers;

namespace ElderManaged.Editing.Tests;

public class EditEncoderTests
{
    private static readonly ITokenizer Tokenizer = TinyModels.Gpt2.Tokenizer;

    [Fact]
    public void Target_follows_one_space_and_ends_with_the_end_token()
    {
        EncodedEdit edit = new EditEncoder(Tokenizer).Encode(new EditRequest("The capital of Brevia is  ", " Rome ") { Subject = "Brevia" });

        Assert.Equal(Tokenizer.Encode("The capital of Brevia is"), edit.Prompt);
        Assert.Equal([.. Tokenizer.Encode(" Rome"), Tokenizer.EndOfTextId], edit.Target);
        Assert.Equal(Tokenizer.Encode(" Brevia"), edit.Subject);
        Assert.Equal("The capital of Brevia is → Rome", edit.FactId);
    }

    [Fact]
    public void End_token_can_be_left_out_and_the_fact_named()
    {
        EncodedEdit edit = new EditEncoder(Tokenizer, trainEndToken: false).Encode(new EditRequest("Brevia:", "Rome") { FactId = "b" });

        Assert.Equal(Tokenizer.Encode(" Rome"), edit.Target);
        Assert.Empty(edit.Subject);
        Assert.Equal("b", edit.FactId);
    }

    [Fact]
    public void An_end_token_written_out_in_a_request_stays_plain_text()
    {
        EncodedEdit edit = new EditEncoder(Tokenizer).Encode(new EditRequest("a <|endoftext|>", "b <|endoftext|>"));

        Assert.DoesNotContain(Tokenizer.EndOfTextId, edit.Prompt);
        Assert.Equal(1, edit.Target.Count(id => id == Tokenizer.EndOfTextId));
    }

    [Theory]
    [InlineData("", "Rome", "The prompt is empty")]
    [InlineData("  \n", "Rome", "The prompt is empty")]
    [InlineData("Brevia:", " ", "The target of the prompt 'Brevia:' is empty")]
    public void Unusable_requests_are_refused_by_name(string prompt, string target, string message)
    {
        EditException error = Assert.Throws<EditException>(() => new EditEncoder(Tokenizer).Encode(new EditRequest(prompt, target)));

        Assert.Contains(message, error.Message);
    }

    [Theory]
    [InlineData(0xD83D)]
    [InlineData(0xDE00)]
    public void Half_a_surrogate_pair_is_refused_and_a_whole_one_is_not(int half)
    {
        EditEncoder encoder = new(Tokenizer);

        Assert.Contains("not valid Unicode", Assert.Throws<EditException>(() => encoder.Encode(new EditRequest($"half {(char)half}", "Rome"))).Message);
        Assert.Contains("not valid Unicode", Assert.Throws<EditException>(() => encoder.Encode(new EditRequest("Half", "x") { FactId = $"{(char)half}!" })).Message);
        Assert.NotEmpty(encoder.Encode(new EditRequest("whole \U0001F600", "Rome")).Prompt);
    }

    [Fact]
    public void The_longest_request_that_fits_is_taken_and_one_token_more_is_refused_with_both_sizes()
    {
        EditEncoder encoder = TinyModels.Gpt2.Encoder; // 48 positions
        int[] target = Tokenizer.Encode(" Rome");
        string fits = new('~', 48 - target.Length); // a byte each; the end token is never read

        EncodedEdit edit = encoder.Encode(new EditRequest(fits, "Rome"));
        EditException error = Assert.Throws<EditException>(() => encoder.Encode(new EditRequest(fits + "~", "Rome")));

        Assert.Equal(48, edit.Prompt.Length + edit.Target.Length - 1);
        Assert.Contains("49 positions", error.Message);
        Assert.Contains("knows 48", error.Message);
    }

    [Fact]
    public void A_prompt_alone_is_checked_too()
    {
        EditEncoder encoder = TinyModels.Gpt2.Encoder;

        Assert.Equal(Tokenizer.Encode("Brevia"), encoder.EncodePrompt("Brevia \t"));
        Assert.Throws<EditException>(() => encoder.EncodePrompt(" "));
        Assert.Contains("49 tokens", Assert.Throws<EditException>(() => encoder.EncodePrompt(new string('~', 49))).Message);
    }
}
