using System.Numerics.Tensors;

namespace ElderManaged.Tensors;

public static partial class Op
{
    /// <summary>
    /// A fully connected layer: y = x·Wᵀ + b, for x of [..., in], W of [out, in] and b of [out]; y is [..., out].
    /// Gradients flow to x, W and b.
    /// </summary>
    /// <remarks>The bits of a row of y depend on that row of x only, never on the other rows.</remarks>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor? bias)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        if (weight.Shape.Rank != 2)
        {
            throw new ArgumentException($"Linear: the weight {weight.Shape} must be a matrix [out, in].");
        }

        (int output, int input) = (weight.Shape[0], weight.Shape[1]);
        Tensor y = NewLinear(x, output, input, bias);
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            LinearGpu.Forward(gpu, x, weight, bias, y);
        }
        else
        {
            StartWithBias(y, bias);
            Gemm.Multiply(false, true, x.Rows, output, input, x.Span, input, weight.Span, input, y.Span, output, accumulate: bias is not null);
        }

        return !Tape.Wants(x, weight, bias)
            ? y
            : GradNode.Record("Linear", y, (x, weight, bias), static (s, y) =>
            {
                // y = x·Wᵀ + b  →  dx = dy·W,  dW = dyᵀ·x,  db = Σ_rows dy
                if (GpuFeature.IsSupported && s.x.Gpu is { } gpu)
                {
                    LinearGpu.Backward(gpu, s.x, s.weight, s.bias, y.Grad!);
                    return;
                }

                (int rows, int output, int input) = (s.x.Rows, s.weight.Shape[0], s.weight.Shape[1]);
                ReadOnlySpan<float> dy = y.Grad!.Span;
                if (Tape.Wants(s.x))
                {
                    Tensor dx = s.x.GradSink(out bool fresh);
                    Gemm.Multiply(false, false, rows, input, output, dy, output, s.weight.Span, input, dx.Span, input, accumulate: !fresh);
                }

                if (Tape.Wants(s.weight))
                {
                    Gemm.Multiply(true, false, output, input, rows, dy, output, s.x.Span, input, s.weight.GradSink().Span, input, accumulate: true);
                }

                AccumulateRowSum(s.bias, y.Grad!);
            });
    }

    /// <summary>
    /// A fully connected layer with a weight that never changes: y = x·Wᵀ + b. Gradients flow to x, and to b where wanted.
    /// </summary>
    /// <remarks>
    /// Gives the same bits as <see cref="Linear(Tensor, Tensor, Tensor?)"/> on a dense weight of the same float32 numbers, if that has more outputs than the
    /// sixteen for which <see cref="Gemm"/> has another order.
    /// </remarks>
    public static Tensor Linear(Tensor x, FrozenMatrix weight, Tensor? bias)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        Tensor y = NewLinear(x, weight.OutFeatures, weight.InFeatures, bias);
        if (GpuFeature.IsSupported && x.Gpu is { } gpu)
        {
            weight.MultiplyOn(gpu, x, y, bias);
        }
        else
        {
            weight.Multiply(x.Span, x.Rows, y.Span, bias is null ? [] : bias.Span);
        }

        return !Tape.Wants(x, bias)
            ? y
            : GradNode.Record("Linear (frozen)", y, (x, weight, bias), static (s, y) =>
            {
                // y = x·Wᵀ + b  →  dx = dy·W,  db = Σ_rows dy;  W is a constant
                if (GpuFeature.IsSupported && s.x.Gpu is { } gpu)
                {
                    if (Tape.Wants(s.x))
                    {
                        Tensor there = s.x.GradSink(out bool first);
                        s.weight.MultiplyTransposedOn(gpu, y.Grad!, there, first);
                    }

                    LinearGpu.AccumulateRowSum(gpu, s.bias, y.Grad!);
                    return;
                }

                if (Tape.Wants(s.x))
                {
                    Tensor dx = s.x.GradSink(out bool fresh);
                    s.weight.MultiplyTransposed(y.Grad!.Span, s.x.Rows, dx.Span, accumulate: !fresh);
                }

                AccumulateRowSum(s.bias, y.Grad!);
            });
    }

    /// <summary>Checks the shapes and makes y.</summary>
    private static Tensor NewLinear(Tensor x, int output, int input, Tensor? bias)
    {
        Shape shape = x.Shape;
        if (x.Columns != input)
        {
            throw new ArgumentException($"Linear: the input {shape} has rows of {x.Columns}, the weight [{output}, {input}] takes {input}.");
        }

        if (bias is not null && (bias.Shape.Rank != 1 || bias.Length != output))
        {
            throw new ArgumentException($"Linear: the bias {bias.Shape} must be a vector of {output}, the outputs of the weight [{output}, {input}].");
        }

        return Tape.NewTensor(shape.Rank switch
        {
            1 => new Shape(output),
            2 => new Shape(shape[0], output),
            3 => new Shape(shape[0], shape[1], output),
            _ => new Shape(shape[0], shape[1], shape[2], output),
        });
    }

    /// <summary>Puts the bias into every row of y: the product is then added in the same pass.</summary>
    private static void StartWithBias(Tensor y, Tensor? bias)
    {
        if (bias is not null)
        {
            int output = bias.Length;
            Span<float> all = y.Span;
            ReadOnlySpan<float> row = bias.Span;
            for (int start = 0; start < all.Length; start += output)
            {
                row.CopyTo(all[start..]);
            }
        }
    }

    /// <summary>d(vector) += Σ_rows dy, in the order of the rows, if a gradient is wanted.</summary>
    private static void AccumulateRowSum(Tensor? vector, Tensor dy)
    {
        if (vector is not null && Tape.Wants(vector))
        {
            Span<float> sum = vector.GradSink().Span;
            ReadOnlySpan<float> all = dy.Span;
            for (int start = 0; start < all.Length; start += sum.Length)
            {
                TensorPrimitives.Add(sum, all.Slice(start, sum.Length), sum);
            }
        }
    }
}
