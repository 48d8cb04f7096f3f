using ElderManaged.Models.Checkpoints;

namespace ElderManaged.Models.Tests.Fuzz;

/// <summary>Gives damaged files to a reader and asks that it read them or refuse them in one clear sentence, in bounded memory.</summary>
internal static class FuzzRun
{
    private const long Slack = 64 << 20;
    private const int Together = 500;

    /// <summary>Runs cases 0 to <paramref name="cases"/> − 1, on all processors.</summary>
    /// <param name="corpus">Valid files.</param>
    /// <param name="cases">How many damaged files.</param>
    /// <param name="read">Reads a file.</param>
    public static void Holds(IReadOnlyList<byte[]> corpus, int cases, Action<byte[]> read)
    {
        foreach (byte[] valid in corpus)
        {
            read(valid);
        }

        var mutator = new Mutator(corpus);
        int accepted = 0, refused = 0;
        Parallel.For(0, (cases + Together - 1) / Together, part =>
        {
            for (int number = part * Together; number < Math.Min(cases, (part + 1) * Together); number++)
            {
                byte[] input = mutator.Case(number);
                long before = GC.GetAllocatedBytesForCurrentThread();
                if (Reads(read, input, number))
                {
                    Interlocked.Increment(ref accepted);
                }
                else
                {
                    Interlocked.Increment(ref refused);
                }

                long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                Assert.True(allocated <= input.Length + Slack, $"Case {number} ({input.Length} bytes) allocates {allocated} bytes.");
            }
        });

        // Both must occur, else the damage is too strong or too weak to test anything.
        Assert.True(accepted > cases / 1000 && refused > cases / 4, $"{accepted} accepted, {refused} refused");
    }

    private static bool Reads(Action<byte[]> read, byte[] input, int number)
    {
        try
        {
            read(input);
            return true;
        }
        catch (Exception exception) when (exception is CheckpointException or InvalidDataException)
        {
            Assert.True(exception.Message.Length is > 10 and < 2500, $"Case {number}: the message has {exception.Message.Length} characters: {exception.Message}");
            Assert.DoesNotContain('\n', exception.Message);
            return false;
        }
#pragma warning disable CA1031 // any other exception is what the test looks for
        catch (Exception exception)
        {
            Assert.Fail($"Case {number} ({input.Length} bytes): {exception}");
            return false;
        }
#pragma warning restore CA1031
    }
}
