namespace ElderManaged.Tensors.Tests;

/// <summary>Tests that set the number of threads run one after the other.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class CpuThreadsCollection
{
    public const string Name = "CpuThreads";
}
