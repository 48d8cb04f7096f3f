namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>
    /// The mixture of low-rank adapters of ELDER (Li et al. 2025, eq. 2–4): for a row x of sequence s,
    /// y = y0 + scale · Σ_j w[s, j] · B_iᵀ (A_i x) with i = indices[s, j], over the k LoRAs allocated to the sequence; only
    /// those are computed. Gradients flow to x, A, B, the weights and y0.
    /// </summary>
    /// <param name="x">[R, in].</param>
    /// <param name="a">A of all N LoRAs: [N, r, in].</param>
    /// <param name="b">B of all N LoRAs, each transposed: [N, r, out].</param>
    /// <param name="weights">w: [S, k], the scores of the allocated LoRAs (not renormalised in ELDER).</param>
    /// <param name="allocation">Which LoRAs a sequence uses, and which sequence a row belongs to.</param>
    /// <param name="scale">α / r.</param>
    /// <param name="addTo">y0: [R, out], the base layer's output; zero if not given.</param>
    /// <returns>[R, out]. A row without LoRA has the bits of its y0.</returns>
    /// <remarks>The bits of a row depend on that row, its LoRAs and weights only, never on the other rows.</remarks>
    public static Tensor LoraMixture(
        Tensor x, Tensor a, Tensor b, Tensor weights, LoraAllocation allocation, float scale, Tensor? addTo = null)
    {
        RequireLoraMixture(x, a, b, weights, allocation, addTo);
        Tensor y = Tape.NewTensor(new Shape(x.Rows, b.Columns));

        // A x of every row and allocated LoRA: [R, k · r].
        Tensor hidden = Tape.NewTensor(new Shape(x.Rows, allocation.K * a.Shape[1]));
        LoraMixtureState state = new(x, a, b, weights, allocation, scale, addTo, y, hidden);
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            LoraMixtureGpu.Forward(gpu, state);
        }
        else
        {
            LoraMixtureKernel.Forward(state);
        }

        return !(Tape.Wants(x, a, b) || Tape.Wants(weights, addTo))
            ? y
            : GradNode.Record("LoraMixture", y, state, static (s, y) =>
            {
                // y = y0 + scale · Σ_j w_j B_jᵀ (A_j x); see LoraMixtureKernel for the gradients
                if (s.AddTo is { } addTo)
                {
                    Accumulate(addTo, y.Grad!);
                }

                if (GpuFeature.IsSupported && s.X.Gpu is { } gpu)
                {
                    bool freshX = false, freshA = false, freshB = false, freshWeights = false;
                    LoraMixtureGpu.Backward(
                        gpu,
                        WithScratch(s, y.Grad!) with
                        {
                            Dx = Tape.Wants(s.X) ? s.X.GradSink(out freshX) : null,
                            DxIsFresh = freshX,
                            Da = Tape.Wants(s.A) ? s.A.GradSink(out freshA) : null,
                            Db = Tape.Wants(s.B) ? s.B.GradSink(out freshB) : null,
                            Dweights = Tape.Wants(s.Weights) ? s.Weights.GradSink(out freshWeights) : null,
                        },
                        freshA,
                        freshB,
                        freshWeights);
                    return;
                }

                bool fresh = false;
                LoraMixtureKernel.Backward(WithScratch(s, y.Grad!) with
                {
                    Dx = Tape.Wants(s.X) ? s.X.GradSink(out fresh) : null,
                    DxIsFresh = fresh,
                    Da = Tape.Wants(s.A) ? s.A.GradSink() : null,
                    Db = Tape.Wants(s.B) ? s.B.GradSink() : null,
                    Dweights = Tape.Wants(s.Weights) ? s.Weights.GradSink() : null,
                });
            });
    }

    private static LoraMixtureState WithScratch(in LoraMixtureState s, Tensor dy) => s with
    {
        Dy = dy,
        Dhidden = Tape.NewTensor(s.Hidden.Shape),
        Products = Tape.NewTensor(new Shape(s.X.Rows, s.Allocation.K)),
        Scaled = Tape.NewTensor(s.Hidden.Shape),
    };

    private static void RequireLoraMixture(Tensor x, Tensor a, Tensor b, Tensor weights, LoraAllocation allocation, Tensor? addTo)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(allocation);
        if (a.Shape.Rank != 3 || b.Shape.Rank != 3 || a.Shape[0] != b.Shape[0] || a.Shape[1] != b.Shape[1])
        {
            throw new ArgumentException($"LoraMixture: A {a.Shape} must be [N, r, in] and B {b.Shape} [N, r, out] with the same N and r.");
        }

        if (x.Shape.Rank != 2 || x.Columns != a.Columns || x.Rows != allocation.RowOwner.Length)
        {
            throw new ArgumentException($"LoraMixture: the input {x.Shape} must be [{allocation.RowOwner.Length} rows of the allocation, {a.Columns} inputs of A].");
        }

        if (weights.Shape != new Shape(allocation.Sequences, allocation.K))
        {
            throw new ArgumentException($"LoraMixture: the weights {weights.Shape} must be [{allocation.Sequences} sequences, {allocation.K} LoRAs each].");
        }

        if (allocation.Largest >= a.Shape[0])
        {
            throw new ArgumentException($"LoraMixture: the allocation uses LoRA {allocation.Largest}, A {a.Shape} has {a.Shape[0]} of them.");
        }

        if (addTo is not null && addTo.Shape != new Shape(x.Rows, b.Columns))
        {
            throw new ArgumentException($"LoraMixture: the tensor to add to {addTo.Shape} must be [{x.Rows}, {b.Columns}].");
        }
    }
}

/// <summary>The tensors of one call; the gradients are null where not wanted.</summary>
internal readonly record struct LoraMixtureState(
    Tensor X, Tensor A, Tensor B, Tensor Weights, LoraAllocation Allocation, float Scale, Tensor? AddTo, Tensor Y, Tensor Hidden)
{
    public Tensor? Dy { get; init; }

    public Tensor? Dx { get; init; }

    /// <summary>Whether <see cref="Dx"/> is to be set instead of added to.</summary>
    public bool DxIsFresh { get; init; }

    public Tensor? Da { get; init; }

    public Tensor? Db { get; init; }

    public Tensor? Dweights { get; init; }

    /// <summary>The gradient of <see cref="Hidden"/>.</summary>
    public Tensor? Dhidden { get; init; }

    /// <summary>h · g of every row and allocated LoRA: what adds up to the gradient of the weight.</summary>
    public Tensor? Products { get; init; }

    /// <summary>scale · w · <see cref="Hidden"/>: what multiplies the rows of B.</summary>
    public Tensor? Scaled { get; init; }
}
