using ElderManaged.Models.Checkpoints;
using ElderManaged.Nn;
using ElderManaged.Tensors;

namespace ElderManaged.WeightsBuilder.Training;

/// <summary>
/// Everything training needs to go on with the same bits: parameters, both moments, the step and the place in the
/// document stream, in one safetensors file that is replaced as a whole.
/// </summary>
public static class TrainingCheckpoint
{
    /// <summary>Writes the trainer's state.</summary>
    public static void Save(string path, LanguageModelTrainer trainer)
    {
        SafetensorsWriter writer = new();
        writer.AddInt64("progress", [2], new long[] { trainer.Step, trainer.Position });
        foreach (Parameter parameter in trainer.Model.Parameters)
        {
            writer.Add($"parameter.{parameter.Name}", [parameter.Value.Length], parameter.Value.Memory);
        }

        foreach ((string name, Tensor first, Tensor second) in trainer.Optimizer.Moments)
        {
            writer.Add($"first.{name}", [first.Length], first.Memory);
            writer.Add($"second.{name}", [second.Length], second.Memory);
        }

        writer.Save(path);
    }

    /// <summary>Restores the trainer and its stream from what <see cref="Save"/> wrote.</summary>
    public static void Load(string path, LanguageModelTrainer trainer, DocumentStream stream)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        long[] progress = new long[2];
        file.ReadInt64("progress", progress);
        foreach (Parameter parameter in trainer.Model.Parameters)
        {
            file.ReadFloat32($"parameter.{parameter.Name}", parameter.Value.Span);
        }

        foreach ((string name, Tensor first, Tensor second) in trainer.Optimizer.Moments)
        {
            file.ReadFloat32($"first.{name}", first.Span);
            file.ReadFloat32($"second.{name}", second.Span);
        }

        trainer.Optimizer.ResumeAt((int)progress[0]);
        stream.Seek(progress[1]);
    }
}
