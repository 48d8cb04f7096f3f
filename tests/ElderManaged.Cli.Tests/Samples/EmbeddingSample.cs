using ElderManaged.Editing;

namespace ElderManaged.Cli.Tests.Samples;

/// <summary>The example of the README, word for word.</summary>
internal static class EmbeddingSample
{
    public static void Run(string modelFolder, string stateFolder)
    {
        #region readme
        ElderModel model = ElderModel.Load(modelFolder);
        using (EditorSession session = model.StartSession("elder"))
        {
            session.Edit(new EditRequest("The capital of Brevia is", "Rome") { Subject = "Brevia" });
            Answer answer = session.Ask("The capital of Brevia is");
            Console.WriteLine($"{answer.Text} (in scope: {answer.InScope})");
            session.Save(stateFolder);
        }

        using EditorSession again = ElderModel.Open(stateFolder);
        Console.WriteLine(again.Ask("The capital of Brevia is").Text);
        #endregion
    }
}
