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

    /// <summary>The sums of every row begin with the bias, one float for each output, or with zero if it is null.</summary>
    public void Begin(int panel, int count, float* sums, float* bias)
    {
        new Span<float>(sums, count * _rows * _width).Clear();
        for (int i = panel; bias != null && i < panel + count; i++)
        {
            for (int row = 0; row < _rows; row++, sums += _width)
            {
                Columns(bias, i).CopyTo(new Span<float>(sums, _width));
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
                Span<float> y = Columns(_y + (row * (nint)_outputs), i);
                new Span<float>(sums, y.Length).CopyTo(y);
            }
        }
    }

    // Those of a row that belong to a panel.
    private Span<float> Columns(float* row, int panel)
    {
        int first = panel * _width;
        return new(row + first, Math.Min(_width, _outputs - first));
    }
}
