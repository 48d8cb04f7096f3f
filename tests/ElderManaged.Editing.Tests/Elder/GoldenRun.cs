using System.Text.Json;
using ElderManaged.Editing.Elder;
using ElderManaged.Models;
using ElderManaged.Models.Checkpoints;
using ElderManaged.Models.Generation;
using ElderManaged.Tensors;
using ElderManaged.Testing;

namespace ElderManaged.Editing.Tests.Elder;

/// <summary>One run of the authors' code, repeated by our editor from the same starting values; every check keeps the largest error.</summary>
internal sealed class GoldenRun : IDisposable
{
    private const int Batches = 3, Iterations = 20, ProbeTokens = 16, Threshold = 6;
    private readonly JsonElement manifest;
    private readonly SafetensorsFile stream, run;
    private readonly TransformerModel model;
    private readonly ElderEditor editor;
    private readonly bool stray;
    private readonly int layers, active;
    private readonly string[] modules;
    private readonly SortedDictionary<string, double> largest = new(StringComparer.Ordinal);

    public GoldenRun(string modelName, string runName)
    {
        string folder = SharedData.PathOf("goldens", "elder", modelName);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "manifest.json")));
        manifest = document.RootElement.Clone();
        JsonElement settings = manifest.GetProperty("runs").GetProperty(runName);
        stream = SafetensorsFile.Open(Path.Combine(folder, "stream.safetensors"));
        run = SafetensorsFile.Open(Path.Combine(folder, settings.GetProperty("file").GetString()!));
        model = TransformerModel.Load(folder);
        modules = [.. manifest.GetProperty("edited_modules").EnumerateArray().Select(m => m.GetString()!)];
        layers = modules.Length;
        active = manifest.GetProperty("top_k").GetInt32();
        stray = settings.GetProperty("stray_bias").GetBoolean();
        bool hard = settings.GetProperty("mode").GetString() == "hard";
        ElderOptions options = ElderOptions.Paper(model) with
        {
            Layers = [1, 2, 3],
            LoraCount = manifest.GetProperty("experts").GetInt32(),
            ActiveCount = active,
            Rank = manifest.GetProperty("rank").GetInt32(),
            Alpha = settings.GetProperty("lora_alpha").GetSingle(),
            LearningRate = settings.GetProperty("lr").GetSingle(),
            Lambda = settings.GetProperty("lambda").GetSingle(),
            Mode = hard ? GuidedMode.Hard : GuidedMode.Soft,
            RouterLoss = hard ? RouterLoss.None : RouterLoss.Guided,
            Iterations = Iterations,
            Epsilon = Threshold,
            RecordCodesBeforeLastStep = true,
        };
        editor = new ElderEditor(model, options);
        Assert.Equal(modules, options.Layers.Select(l => model.FeedForwardName(l, model.ElderSite)));
        if (stray)
        {
            StrayBias[] biases = [.. modules.Select((m, l) => new StrayBias(options.Layers[l], Tensor(run, $"stray.{m}.bias")))];
            editor.Wrap = inner => new StrayBiasAdapter(inner, model.ElderSite, biases);
        }
    }

    /// <summary>The largest error of each group of numbers.</summary>
    public IReadOnlyDictionary<string, double> Largest => largest;

    /// <summary>Seconds of each batch.</summary>
    public List<double> Seconds { get; } = [];

    public void Check()
    {
        SetWeights("init");
        foreach (JsonProperty fact in manifest.GetProperty("facts").EnumerateObject())
        {
            editor.Allocator.Assign(fact.Name, ReadAllocation(fact.Value.GetProperty("allocation")));
        }

        for (int b = 0; b < Batches; b++)
        {
            TrainBatch(b);
            CheckWeights(b == Batches - 1 ? "final" : $"after_batch{b}", 5e-4, 2e-5);
        }

        CheckRecordedCodes();
        CheckProbes();
    }

    public void Dispose()
    {
        stream.Dispose();
        run.Dispose();
    }

    private void TrainBatch(int b)
    {
        List<EncodedEdit> batch = ReadBatch(b);
        float[] query = Floats(run, "query");
        int width = query.Length / (Batches * batch.Count);
        for (int s = 0; s < batch.Count; s++)
        {
            float[] found = PreparedEdit.Prepare(model, editor.Options, batch[s].Prompt, batch[s].Target).Query!.ReadOnlySpan.ToArray();
            Near("query", query.AsSpan(((b * batch.Count) + s) * width, width), found, 1e-4);
        }

        float[] targetLoss = Floats(run, "loss.model"), guided = Floats(run, "loss.guided"), total = Floats(run, "loss.total");
        float[] scores = Floats(run, "router.scores"); // [batch, iteration, L, B, N]
        int iteration = 0;
        editor.Scored = found =>
        {
            for (int l = 0; l < layers; l++)
            {
                int size = found[l].Length;
                Near("router scores", scores.AsSpan(((((b * Iterations) + iteration) * layers) + l) * size, size), found[l].Span, stray ? 5e-4 : 1e-4);
            }
        };
        editor.Predicted = logits =>
        {
            if (b == 0 && iteration == 0)
            {
                CheckFirstLogits(batch, logits);
            }
        };
        editor.IterationDone = found =>
        {
            int at = (b * Iterations) + iteration;
            Near("loss.model", [targetLoss[at]], [(float)found.TargetLoss], 1e-4);
            Near("loss.guided", [guided[at]], [(float)found.RouterLoss], 2e-4);
            Near("loss.total", [total[at]], [(float)found.TotalLoss], 1e-4);
            if ((b, iteration) is (0, 0) or (0, 1) or (1, 1))
            {
                CheckGradients($"grad.batch{b}.iter{iteration}");
            }

            if ((b, iteration) == (0, 1))
            {
                CheckWeights("step1", 1e-5, 1e-5);
            }

            iteration++;
        };
        EditBatchResult result = editor.Edit(batch);
        Assert.Equal(Iterations, result.Iterations);
        Assert.Equal(Iterations, iteration);
        Seconds.Add(result.Seconds);
    }

    private List<EncodedEdit> ReadBatch(int b)
    {
        List<EncodedEdit> batch = [];
        foreach (JsonElement edit in manifest.GetProperty("stream")[b].GetProperty("edits").EnumerateArray())
        {
            string fact = edit.GetProperty("fact").GetString()!;
            JsonElement known = manifest.GetProperty("facts").GetProperty(fact);
            batch.Add(new EncodedEdit(
                fact, Ints(known.GetProperty("prompts").GetProperty(edit.GetProperty("phrasing").GetString()!)), Ints(known.GetProperty("target")), []));
        }

        // The manifest must say what the tensors say.
        int columns = (int)stream.Entries[$"batch{b}.input_ids"].Shape[1];
        long[] ids = Longs(stream, $"batch{b}.input_ids"), labels = Longs(stream, $"batch{b}.labels"), allocation = Longs(stream, $"batch{b}.allocation");
        for (int s = 0; s < batch.Count; s++)
        {
            int[] row = [.. batch[s].Prompt, .. batch[s].Target];
            Assert.Equal(row, ids.Skip(s * columns).Take(row.Length).Select(id => (int)id));
            Assert.Equal(batch[s].Target, labels.Skip(s * columns).Take(columns).Where(id => id != -100).Select(id => (int)id));
            for (int l = 0; l < layers; l++)
            {
                Assert.Equal(
                    allocation.Skip(((l * batch.Count) + s) * active).Take(active).Select(j => (int)j),
                    editor.AllocationOf(batch[s].FactId)!.Layer(l).ToArray());
            }
        }

        return batch;
    }

    private void CheckFirstLogits(List<EncodedEdit> batch, Tensor logits)
    {
        float[] expected = Floats(run, "batch0.iter0.logits"); // [B, T, V]
        int vocabulary = logits.Columns, columns = expected.Length / (batch.Count * vocabulary), at = 0;
        for (int s = 0; s < batch.Count; s++)
        {
            for (int t = 0; t < batch[s].Target.Length; t++, at++)
            {
                int position = batch[s].Prompt.Length - 1 + t;
                Near("first logits", expected.AsSpan(((s * columns) + position) * vocabulary, vocabulary), logits.Row(at), 1e-4);
            }
        }
    }

    private void CheckRecordedCodes()
    {
        long[] expected = Longs(run, "codes.recorded");
        int bits = expected.Length / editor.Codes.Count;
        for (int i = 0; i < editor.Codes.Count; i++)
        {
            Assert.Equal(expected.Skip(i * bits).Take(bits), Bits(editor.Codes[i]));
        }
    }

    private void CheckProbes()
    {
        int count = (int)stream.Entries["probe.ids"].Shape[0], columns = (int)stream.Entries["probe.ids"].Shape[1];
        long[] ids = Longs(stream, "probe.ids"), lengths = Longs(stream, "probe.length");
        long[] codes = Longs(run, "probe.codes"), distances = Longs(run, "probe.distance"), inScope = Longs(run, "probe.in_scope");
        float[] logits = Floats(run, "probe.logits"), adapted = Floats(run, "probe.adapted_logits"), scores = Floats(run, "probe.scores");
        float[] baseLogits = Floats(stream, "probe.base_logits");
        int[] thresholds = Ints(manifest.GetProperty("thresholds"));
        int vocabulary = logits.Length / count, bits = codes.Length / count, scoreSize = scores.Length / count;
        SpyRouting spy = new(((ElderSnapshot)editor.Current).Routing);
        ElderSnapshot everything = Snapshot(new RouterRouting(editor.Mixture, editor.Codes, active, int.MaxValue));
        ElderSnapshot snapshot = Snapshot(spy);
        for (int p = 0; p < count; p++)
        {
            int[] prompt = [.. ids.Skip(p * columns).Take((int)lengths[p]).Select(id => (int)id)];
            EditedPrompts prepared = snapshot.Prepare([prompt]);
            Assert.Equal(codes.Skip(p * bits).Take(bits), Bits(spy.Last!.Allocation!.Code));
            Assert.Equal(distances[p], prepared.Scope[0].Evidence);
            foreach ((int i, int threshold) in thresholds.Index())
            {
                Assert.Equal(inScope[(p * thresholds.Length) + i] != 0, distances[p] < threshold);
                Assert.Equal(
                    inScope[(p * thresholds.Length) + i] != 0,
                    Snapshot(new RouterRouting(editor.Mixture, editor.Codes, active, threshold)).Prepare([prompt]).Scope[0].InScope);
            }

            float[] found = [.. Router.Scores(editor.Mixture, spy.Queries!).SelectMany(s => s.Span.ToArray())];
            Near("probe scores", scores.AsSpan(p * scoreSize, scoreSize), found, stray ? 5e-4 : 1e-4);
            float[] last = LastLogits(prepared);
            Near("probe logits", logits.AsSpan(p * vocabulary, vocabulary), last, stray ? 5e-4 : 2e-4);
            Near("adapted logits", adapted.AsSpan(p * vocabulary, vocabulary), LastLogits(everything.Prepare([prompt])), stray ? 5e-4 : 2e-4);
            float[] ofBase = LastLogits(PromptBatch.OfBase(model, [prompt]));
            Near("base logits", baseLogits.AsSpan(p * vocabulary, vocabulary), ofBase, 1e-4);
            if (!prepared.Scope[0].InScope && !stray)
            {
                Assert.Equal(ofBase, last);
            }

            CheckGreedy(p, prompt, prepared, snapshot);
        }
    }

    private void CheckGreedy(int p, int[] prompt, EditedPrompts prepared, ElderSnapshot snapshot)
    {
        ReadOnlySpan<long> fixedTokens = Longs(run, "greedy.fixed").AsSpan(p * ProbeTokens, ProbeTokens);
        float[] margins = Floats(run, "greedy.fixed_margin");
        int[] found = Generator.Generate(prepared, new GenerationOptions { MaxTokens = ProbeTokens, IgnoreEnd = true })[0];
        Assert.Equal(ProbeTokens, found.Length);
        for (int t = 0; t < ProbeTokens && margins[(p * ProbeTokens) + t] >= 1e-3; t++)
        {
            Assert.True(fixedTokens[t] == found[t], $"probe {p}, token {t}: {found[t]}, expected {fixedTokens[t]}.");
        }

        long[] rerouted = Longs(run, "greedy.rerouted"), inScope = Longs(run, "greedy.rerouted_in_scope");
        margins = Floats(run, "greedy.rerouted_margin");
        float[] gaps = Floats(run, "greedy.rerouted_router_gap");
        int[] text = prompt;
        for (int t = 0; t < ProbeTokens; t++)
        {
            int at = (p * ProbeTokens) + t;
            if (gaps[at] < 1e-4)
            {
                break;
            }

            EditedPrompts again = snapshot.Prepare([text]);
            Assert.Equal(inScope[at] != 0, again.Scope[0].InScope);
            if (margins[at] < 1e-3)
            {
                break;
            }

            int token = Op.ArgMax(LastLogits(again));
            Assert.True(rerouted[at] == token, $"probe {p}, rerouted token {t}: {token}, expected {rerouted[at]}.");
            text = [.. text, token];
        }
    }

    private ElderSnapshot Snapshot(IPromptRouting routing) => new(model, editor.Options, editor.Mixture.Freeze(), routing, editor.Wrap);

    /// <summary>The logits after the last prompt token, which is run again as generation does.</summary>
    private float[] LastLogits(PromptBatch batch)
    {
        using Tape tape = Tape.Start(record: false);
        SequenceLayout layout = new([1], [batch.Prompts[0].Length - 1]);
        ForwardContext context = new(layout) { Cache = batch.Cache, Adapter = batch.AdapterFor([0], layout) };
        return model.Logits(model.Forward([batch.Prompts[0][^1]], context)).Span.ToArray();
    }

    private void SetWeights(string stage) => ForEachTensor(stage, (tensor, offset, values) => values.CopyTo(tensor.Span[offset..]));

    private void CheckWeights(string stage, double allowed, double usual)
    {
        long near = 0, all = 0;
        ForEachTensor(stage, (tensor, offset, values) =>
        {
            Span<float> found = tensor.Span.Slice(offset, values.Length);
            Near(stage == "step1" ? "step1" : "weights", values, found, allowed);
            for (int i = 0; i < values.Length; i++)
            {
                near += Math.Abs(values[i] - found[i]) <= usual ? 1 : 0;
                all++;
            }
        });
        Assert.True(near >= 0.95 * all, $"{stage}: only {near} of {all} weights are within {usual}.");
    }

    private void CheckGradients(string stage) => ForEachTensor(stage, (tensor, offset, values) =>
        Near("gradients", values, tensor.Grad!.Span.Slice(offset, values.Length), 1e-5));

    // Files hold one pair for each LoRA: A [in, r], B [r, out]; ours are [N, r, in] and [N, r, out].
    private void ForEachTensor(string stage, Action<Tensor, int, float[]> visit)
    {
        for (int l = 0; l < layers; l++)
        {
            MixtureLayer layer = editor.Mixture.Layers[l];
            for (int j = 0; j < layer.A.Shape[0]; j++)
            {
                int rank = layer.A.Shape[1], inputs = layer.A.Shape[2];
                float[] file = Floats(run, $"{stage}.{modules[l]}.experts.{j}.lora_A.default"), turned = new float[file.Length];
                for (int i = 0; i < file.Length; i++)
                {
                    turned[(i % rank * inputs) + (i / rank)] = file[i];
                }

                visit(layer.A, j * file.Length, turned);
                float[] b = Floats(run, $"{stage}.{modules[l]}.experts.{j}.lora_B.default");
                visit(layer.B, j * b.Length, b);
            }

            visit(layer.RouterWeight!, 0, Floats(run, $"{stage}.{modules[l]}.gate.gate.weight"));
            visit(layer.RouterBias!, 0, Floats(run, $"{stage}.{modules[l]}.gate.gate.bias"));
        }
    }

    private void Near(string group, ReadOnlySpan<float> expected, ReadOnlySpan<float> found, double allowed)
    {
        Assert.Equal(expected.Length, found.Length);
        double worst = largest.GetValueOrDefault(group);
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs((double)expected[i] - found[i]);
            worst = Math.Max(worst, error);
            if (!(error <= allowed))
            {
                Assert.Fail($"{group}: element {i} is {found[i]:R}, expected {expected[i]:R}, error {error:E2}, allowed {allowed:E0}.");
            }
        }

        largest[group] = worst;
    }

    private Allocation ReadAllocation(JsonElement element) =>
        new(element.EnumerateArray().SelectMany(Ints).ToArray(), layers, editor.Options.LoraCount);

    private static IEnumerable<long> Bits(AllocationCode code) => Enumerable.Range(0, code.Length).Select(i => code[i] ? 1L : 0);

    private static int[] Ints(JsonElement element) => [.. element.EnumerateArray().Select(e => e.GetInt32())];

    private static float[] Floats(SafetensorsFile file, string name)
    {
        float[] values = new float[file.Entries[name].ElementCount];
        file.ReadFloat32(name, values);
        return values;
    }

    private static Tensor Tensor(SafetensorsFile file, string name)
    {
        float[] values = Floats(file, name);
        return new Tensor(new Shape(values.Length), values);
    }

    private static long[] Longs(SafetensorsFile file, string name)
    {
        long[] values = new long[file.Entries[name].ElementCount];
        file.ReadInt64(name, values);
        return values;
    }

    /// <summary>Keeps what was decided last.</summary>
    private sealed class SpyRouting(IPromptRouting inner) : IPromptRouting
    {
        public RoutedPrompt? Last { get; private set; }

        public Tensor? Queries { get; private set; }

        public RoutedPrompt[] Route(PromptPass pass)
        {
            RoutedPrompt[] routed = inner.Route(pass);
            (Last, Queries) = (routed[0], pass.Queries!.Clone());
            return routed;
        }
    }

    private sealed record StrayBias(int Layer, Tensor Bias);

    /// <summary>The random bias that the authors' code leaves on edited LLaMA layers, for edited and deferred inputs alike.</summary>
    private sealed class StrayBiasAdapter(IFeedForwardAdapter? inner, FeedForwardSite edited, StrayBias[] biases) : IFeedForwardAdapter
    {
        public bool Applies(int layer, FeedForwardSite site) => site == edited && biases.Any(b => b.Layer == layer);

        public Tensor Adapt(int layer, FeedForwardSite site, Tensor input, Tensor output)
        {
            output = Op.AddBias(output, biases.Single(b => b.Layer == layer).Bias);
            return inner is not null && inner.Applies(layer, site) ? inner.Adapt(layer, site, input, output) : output;
        }
    }
}
