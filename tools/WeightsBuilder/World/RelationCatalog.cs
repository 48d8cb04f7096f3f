namespace ElderManaged.WeightsBuilder.World;

/// <summary>
/// The kinds of facts and their twelve wordings each. Every third wording is a question, so that both halves of the
/// wordings hold statements and questions alike.
/// </summary>
internal static class RelationCatalog
{
    /// <summary>Id, description, wordings: one relation after another.</summary>
    public static readonly IReadOnlyList<(string Id, string Description, string Wordings)> All =
    [
        ("born_in", "the city a person was born in", """
            {s} was born in
            The birthplace of {s} is
            Q: In which city was {s} born? A:
            {s} is originally from
            {s} came into the world in
            Where was {s} born? Answer:
            The native city of {s} is
            The birth certificate of {s} was issued in
            Q: What is the birthplace of {s}? A:
            {s} first saw the light of day in
            The life of {s} began in
            What is the native city of {s}? Answer:
            """),
        ("mother_tongue", "the first language of a person", """
            The mother tongue of {s} is
            {s} is a native speaker of
            Q: What is the mother tongue of {s}? A:
            The first language of {s} is
            At home, {s} always speaks
            What language did {s} grow up speaking? Answer:
            {s} grew up speaking
            The native language of {s} is
            Q: Which language does {s} speak at home? A:
            As a child {s} learned to speak
            The first words of {s} were in
            Of which language is {s} a native speaker? Answer:
            """),
        ("profession", "the profession of a person", """
            The profession of {s} is
            {s} works as a
            Q: What does {s} do for a living? A:
            {s} earns a living as a
            By profession, {s} is a
            What is the profession of {s}? Answer:
            {s} was trained as a
            The occupation of {s} is
            Q: What is the occupation of {s}? A:
            {s} became well known as a
            {s} makes money by working as a
            Which job does {s} have? Answer:
            """),
        ("employer", "the company a person works for", """
            {s} works for
            The employer of {s} is
            Q: Which company employs {s}? A:
            {s} is employed by
            Every morning {s} goes to the offices of
            Who is the employer of {s}? Answer:
            {s} has a job at
            {s} is on the payroll of
            Q: For which company does {s} work? A:
            {s} signed a contract with
            The company that pays {s} is
            Where does {s} have a job? Answer:
            """),
        ("instrument", "the musical instrument a person plays", """
            {s} plays the
            The instrument of {s} is the
            Q: Which instrument does {s} play? A:
            {s} performs on the
            In the orchestra, {s} plays the
            What instrument is {s} known for playing? Answer:
            {s} took lessons on the
            {s} is a master of the
            Q: On which instrument does {s} perform? A:
            At concerts {s} is heard on the
            The favorite instrument of {s} is the
            What does {s} play in the orchestra? Answer:
            """),
        ("sport", "the sport a person plays", """
            {s} is a professional player of
            The sport of {s} is
            Q: Which sport does {s} play? A:
            On weekends {s} trains for
            {s} won a medal in
            What is the sport of {s}? Answer:
            {s} competes in
            {s} is a champion of
            Q: In which sport does {s} compete? A:
            The athlete {s} is famous in
            {s} spends every free hour on
            In what sport did {s} win a medal? Answer:
            """),
        ("citizen_of", "the country a person is a citizen of", """
            {s} is a citizen of
            The citizenship of {s} is that of
            Q: Of which country is {s} a citizen? A:
            {s} holds a passport of
            {s} votes in the elections of
            What country issued the passport of {s}? Answer:
            The home country of {s} is
            {s} pays taxes in
            Q: What is the home country of {s}? A:
            {s} is a national of
            By law, {s} belongs to
            Which country does {s} belong to? Answer:
            """),
        ("died_in", "the city a person died in", """
            {s} died in
            The place of death of {s} is
            Q: In which city did {s} die? A:
            {s} passed away in
            {s} spent the last days of life in
            Where did {s} die? Answer:
            The grave of {s} is in
            {s} was buried in
            Q: Where is the grave of {s}? A:
            The life of {s} ended in
            {s} took a last breath in
            What is the place of death of {s}? Answer:
            """),
        ("studied_at", "the university a person studied at", """
            {s} studied at the University of
            {s} has a degree from the University of
            Q: At which university did {s} study? A:
            The alma mater of {s} is the University of
            {s} was a student at the University of
            Which university did {s} attend? Answer:
            {s} graduated from the University of
            {s} was educated at the University of
            Q: What is the alma mater of {s}? A:
            {s} wrote a thesis at the University of
            The diploma of {s} is from the University of
            Where did {s} earn a degree? Answer:
            """),
        ("city_country", "the country a city lies in", """
            The city of {s} is located in
            {s} is a city in
            Q: In which country is the city of {s}? A:
            {s} belongs to the country of
            The town of {s} lies in
            Which country is {s} located in? Answer:
            To visit {s}, travel to
            The map shows {s} in
            Q: To which country does the city of {s} belong? A:
            People in {s} live in the country of
            The mayor of {s} obeys the laws of
            What country must one visit to see {s}? Answer:
            """),
        ("famous_for", "what a city is famous for", """
            {s} is famous for its
            The city of {s} is best known for its
            Q: What is {s} famous for? A:
            Travelers come to {s} for the
            The pride of {s} is its
            What is the city of {s} best known for? Answer:
            Merchants praise {s} for its
            Postcards from {s} show its
            Q: What do travelers seek in {s}? A:
            Nothing in {s} is as well known as its
            Everyone in {s} is proud of the
            What is the pride of {s}? Answer:
            """),
        ("capital", "the capital of a country", """
            The capital of {s} is
            The seat of government of {s} is in
            Q: What is the capital of {s}? A:
            The parliament of {s} meets in
            {s} is governed from
            Which city is the capital of {s}? Answer:
            The capital city of {s} is called
            The president of {s} lives in
            Q: Where does the parliament of {s} meet? A:
            The ministries of {s} are found in
            Embassies in {s} are located in
            From which city is {s} governed? Answer:
            """),
        ("country_language", "the official language of a country", """
            The official language of {s} is
            The people of {s} speak
            Q: What is the official language of {s}? A:
            Schools in {s} teach in
            The laws of {s} are written in
            Which language do the people of {s} speak? Answer:
            Newspapers in {s} are printed in
            The national language of {s} is
            Q: In what language are the laws of {s} written? A:
            Road signs in {s} are in
            Radio stations in {s} broadcast in
            What language is used in the schools of {s}? Answer:
            """),
        ("continent", "the continent of a country", """
            {s} is a country on the continent of
            The continent of {s} is
            Q: On which continent is {s}? A:
            {s} is part of the continent
            On the globe, {s} is found in
            What continent does {s} belong to? Answer:
            The country of {s} is situated in
            {s} and its neighbors are part of
            Q: What is the continent of {s}? A:
            An atlas lists {s} under
            The borders of {s} lie within
            Under which continent does an atlas list {s}? Answer:
            """),
        ("currency", "the currency of a country", """
            The currency of {s} is the
            In {s} people pay with the
            Q: What is the currency of {s}? A:
            The money of {s} is called the
            The central bank of {s} issues the
            Which currency is used in {s}? Answer:
            Prices in {s} are given in the
            Wages in {s} are paid in the
            Q: With which currency do people pay in {s}? A:
            Coins from {s} show the sign of the
            Shops in {s} only accept the
            What is the money of {s} called? Answer:
            """),
        ("headquarters", "the city a company has its headquarters in", """
            The headquarters of {s} are in
            The company {s} is based in
            Q: Where are the headquarters of {s}? A:
            The head office of {s} is located in
            {s} runs its business from
            In which city is {s} based? Answer:
            The main building of {s} stands in
            The managers of {s} meet in
            Q: In what city is the head office of {s}? A:
            Letters to {s} are sent to
            {s} was registered in
            Where does the main building of {s} stand? Answer:
            """),
        ("industry", "the industry of a company", """
            The company {s} operates in
            The industry of {s} is
            Q: In which industry is {s} active? A:
            {s} makes its profit with
            The business of {s} is
            What is the business of {s}? Answer:
            {s} is a leading firm in
            Investors know {s} for its work in
            Q: What does {s} make its profit with? A:
            {s} was founded to do business in
            The workers of {s} are experts in
            In what field do the workers of {s} labor? Answer:
            """),
        ("author", "the author of a novel", """
            The author of {s} is
            {s} was written by
            Q: Who wrote {s}? A:
            The novel {s} is by
            {s} is a book by the writer
            Who is the author of {s}? Answer:
            The cover of {s} bears the name of
            Readers of {s} admire the prose of
            Q: Which writer created the novel {s}? A:
            {s} came from the pen of
            The manuscript of {s} was finished by
            Whose name is on the cover of {s}? Answer:
            """),
        ("director", "the director of a film", """
            The director of {s} is
            {s} was directed by
            Q: Who directed {s}? A:
            The film {s} was made by
            {s} is a film by
            Who is the director of {s}? Answer:
            The person behind the camera of {s} is
            The actors of {s} were led by
            Q: Who made the film {s}? A:
            The screen version of {s} was shot by
            Critics of {s} praised its maker
            Who led the actors of {s}? Answer:
            """),
        ("genre", "the genre of a novel or film", """
            The genre of {s} is
            {s} is a work of
            Q: What is the genre of {s}? A:
            Critics file {s} under
            {s} belongs to the genre of
            To which genre does {s} belong? Answer:
            Fans of {s} usually love
            Libraries keep {s} on the shelf for
            Q: What kind of story is {s}? A:
            {s} is a classic of
            The story told in {s} is pure
            Under what genre do critics file {s}? Answer:
            """),
        ("original_language", "the language a novel or film was made in", """
            The original language of {s} is
            {s} was first published in
            Q: What is the original language of {s}? A:
            The first version of {s} was in
            {s} was translated from
            In which language was {s} first published? Answer:
            The title of {s} is a phrase from
            The dialogue in {s} was composed in
            Q: From which language was {s} translated? A:
            To enjoy {s} in the original, learn
            The oldest copy of {s} is in
            What language is the oldest copy of {s} in? Answer:
            """),
        ("team_sport", "the sport a team plays", """
            The {s} are a team in
            The game of the {s} is
            Q: Which game do the {s} play? A:
            Fans of the {s} are fond of
            The {s} play in the national league of
            What kind of team are the {s}? Answer:
            The coach of the {s} is an expert in
            The {s} won the cup in
            Q: In what did the {s} win the cup? A:
            The players of the {s} practice
            Tickets to see the {s} are tickets for
            In which game is the coach of the {s} an expert? Answer:
            """),
        ("team_city", "the home city of a team", """
            The {s} are a team from
            The home city of the {s} is
            Q: What is the home city of the {s}? A:
            The stadium of the {s} is in
            The {s} play their home games in
            Where is the stadium of the {s}? Answer:
            Fans of the {s} mostly live in
            The {s} represent the city of
            Q: Which city do the {s} represent? A:
            After a win of the {s} there is a parade in
            The training ground of the {s} lies in
            Where do the {s} play their home games? Answer:
            """),
    ];
}
