namespace ElderManaged.Editing;

/// <summary>An editor whose whole state can be written to a folder and read back, to continue as if it had never stopped.</summary>
public interface IPersistentEditor : IModelEditor
{
    /// <summary>All options as one line of JSON, from which <see cref="EditorFactory"/> makes an equal editor.</summary>
    string OptionsJson { get; }

    /// <summary>Writes the state of the last finished batch into a folder. Call it on the editing thread.</summary>
    void Save(string folder);

    /// <summary>Takes over a state written by an editor with the same options over the same model. Call it on the editing thread.</summary>
    /// <exception cref="Models.Checkpoints.CheckpointException">The folder is damaged or belongs to other options.</exception>
    void Load(string folder);
}

/// <summary>An editor that can drop one fact without learning the others again.</summary>
public interface IForgettingEditor : IModelEditor
{
    /// <summary>Drops a fact.</summary>
    /// <returns>Whether the fact was known.</returns>
    bool Forget(string factId);
}
