using ElderManaged.Nn;

namespace ElderManaged.Editing.Baselines;

/// <summary>
/// The numbers of some parameters before a batch, so that a cancelled or failed batch can be taken back and FT-L knows
/// around which values to clamp. Its memory is made once for an editor.
/// </summary>
internal sealed class ParameterGuard(IReadOnlyList<Parameter> parameters)
{
    private readonly float[][] before = [.. parameters.Select(p => new float[p.Value.Length])];

    public void Remember()
    {
        for (int i = 0; i < before.Length; i++)
        {
            parameters[i].Value.ReadOnlySpan.CopyTo(before[i]);
        }
    }

    public void Restore()
    {
        for (int i = 0; i < before.Length; i++)
        {
            before[i].CopyTo(parameters[i].Value.Span);
        }
    }

    public ReadOnlySpan<float> Before(int parameter) => before[parameter];
}
