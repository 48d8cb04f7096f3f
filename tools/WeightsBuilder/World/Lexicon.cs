namespace ElderManaged.WeightsBuilder.World;

/// <summary>The ordinary words of the world: what is not invented. All fit behind "a" and "the" as they are used.</summary>
internal static class Lexicon
{
    public static readonly string[] FirstNames = Words("""
        Adela Anton Bella Boris Carla Cyril Daria Dario Edith Emil Flora Felix Greta Gustav Helen Hugo Irma Ivan
        Julia Jonas Karin Kasper Laura Lukas Maria Milo Nadia Noel Olga Oscar Petra Paul Rosa Ruben Sofia Simon
        Tamara Tobias Vera Victor
        """);

    public static readonly string[] Professions = Words("""
        doctor lawyer teacher painter poet chemist physicist pilot chef judge farmer sculptor dancer singer journalist
        nurse baker carpenter biologist geologist historian librarian surgeon diplomat photographer mathematician
        tailor gardener composer blacksmith
        """);

    public static readonly string[] Instruments = Words("""
        violin piano flute cello harp guitar trumpet drums clarinet oboe lute banjo organ saxophone trombone mandolin
        accordion bassoon tuba zither viola harmonica
        """);

    public static readonly string[] Sports = Words("""
        football tennis hockey rugby cricket golf volleyball basketball baseball badminton handball polo squash
        billiards softball lacrosse snooker darts chess croquet
        """);

    public static readonly string[] Goods = Words("""
        wine silk glass honey salt cheese marble amber tea olives roses clocks bells lace pottery pearls paper ships
        towers bridges gardens mills markets spices
        """);

    public static readonly string[] Currencies = Words("""
        crown ducat florin shilling dinar peso rupee mark franc lira dollar pound
        """);

    public static readonly string[] Industries = Words("""
        shipping banking mining farming textiles software tourism printing brewing insurance furniture steel toys
        chemicals railways publishing aviation fishing energy medicine
        """);

    public static readonly string[] Genres = Words("""
        horror romance fantasy mystery comedy tragedy satire adventure drama thriller western crime history biography
        """);

    public static readonly string[] TitleNouns = Words("""
        Lanterns Ashes Rivers Shadows Songs Winters Letters Mirrors Ghosts Keys Daughters Sons Roads Storms Secrets
        Walls Flames Dreams Stones Promises
        """);

    public static readonly string[] Animals = Words("""
        Wolves Bears Eagles Lions Tigers Hawks Foxes Sharks Bulls Ravens Panthers Falcons
        """);

    private static string[] Words(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
}
