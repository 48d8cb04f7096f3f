namespace ElderManaged.Tensors;

/// <summary>The sums of some panels of y while they are computed: those of a panel side by side for each row, full width also where y ends.</summary>
internal readonly unsafe struct PanelSums
{
    private readonly float* _y;
    private readonly int _outputs;
    private readonly int _rows;
    private readonly int _width;

    /// <summary>For a product y (rows, outputs).</summary>
    /// <param name="y">Row after row.</param>
    /// <param name="outputs">Columns of y.</param>
    /// <param name="rows">Rows of y.</param>
    /// <param name="width">Outputs of a panel.</param>
    public PanelSums(float* y, int outputs, int rows, int width)
    {
        _y = y;
        _outputs = outputs;
        _rows = rows;
        _width = width;
    }

    /// <summary>The sums begin with y, or with zero.</summary>
    public void Begin(int panel, int count, float* sums, bool accumulate)
    {
        new Span<float>(sums, count * _rows * _width).Clear();
        for (int i = panel; accumulate && i < panel + count; i++)
        {
            for (int row = 0; row < _rows; row++, sums += _width)
            {
                Y(i, row).CopyTo(new Span<float>(sums, _width));
            }
        }
    }

    /// <summary>y is the sums.</summary>
    public void End(int panel, int count, float* sums)
    {
        for (int i = panel; i < panel + count; i++)
        {
            for (int row = 0; row < _rows; row++, sums += _width)
            {
                Span<float> y = Y(i, row);
                new Span<float>(sums, y.Length).CopyTo(y);
            }
        }
    }

    private Span<float> Y(int panel, int row)
    {
        int first = panel * _width;
        return new(_y + (row * (nint)_outputs) + first, Math.Min(_width, _outputs - first));
    }
}
