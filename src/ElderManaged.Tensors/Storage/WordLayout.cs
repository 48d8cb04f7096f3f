using System.Runtime.CompilerServices;

namespace ElderManaged.Tensors;

/// <summary>Where the words and scales of a panel lie, and what they mean, one number at a time: the plain twin of the formats in WordFormats.cs.</summary>
internal readonly unsafe struct WordLayout
{
    private const int Lanes = FrozenWordPanels.Lanes;

    /// <summary>What lies before the words of a group.</summary>
    internal enum Scaling
    {
        None,
        Half,
        HalfAndMinimum,
        Single,
        SingleAndMinimum,
    }

    private readonly StoredNumbers _numbers;
    private readonly Scaling _scaling;
    private readonly int _bits;
    private readonly int _codeOffset;

    private WordLayout(StoredNumbers numbers, int bits, int groupLength, Scaling scaling, int codeOffset)
    {
        _numbers = numbers;
        _bits = bits;
        _scaling = scaling;
        _codeOffset = codeOffset;
        InWord = 32 / bits;
        GroupLength = groupLength;
        ScaleBytes = Lanes * scaling switch
        {
            Scaling.None => 0,
            Scaling.Half => 2,
            Scaling.SingleAndMinimum => 8,
            _ => 4,
        };
    }

    /// <summary>Numbers of one lane that share a scale; 0 where there are no scales.</summary>
    public int GroupLength { get; }

    /// <summary>Bytes of scales and minima before the words of a group.</summary>
    public int ScaleBytes { get; }

    /// <summary>Numbers in a word.</summary>
    public int InWord { get; }

    public static WordLayout Of(StoredNumbers numbers) => numbers switch
    {
        StoredNumbers.Float16 or StoredNumbers.BFloat16 => new(numbers, 16, 0, Scaling.None, 0),
        StoredNumbers.Q8_0 or StoredNumbers.Q5_0 => new(numbers, 8, 32, Scaling.Half, -128),
        StoredNumbers.Q5_1 => new(numbers, 8, 32, Scaling.HalfAndMinimum, -128),
        StoredNumbers.Q6_K => new(numbers, 8, 16, Scaling.Single, -128),
        StoredNumbers.Q4_0 => new(numbers, 4, 32, Scaling.Half, -8),
        StoredNumbers.Q4_1 => new(numbers, 4, 32, Scaling.HalfAndMinimum, 0),
        StoredNumbers.Q4_K => new(numbers, 4, 32, Scaling.SingleAndMinimum, 0),
        _ => throw StoredNumbersSizes.Unknown(numbers),
    };

    /// <summary>From the start of a panel to where the numbers from <paramref name="k"/> on begin; k is even, and begins a group.</summary>
    public nint Offset(int k) => GroupLength == 0
        ? (nint)k / 2 * Lanes * sizeof(uint)
        : (nint)k / GroupLength * (ScaleBytes + (GroupLength / InWord * Lanes * sizeof(uint)));

    /// <summary><paramref name="depth"/> numbers as the groups that a kernel takes; without scales, one group of any even length.</summary>
    public void Groups(int depth, out nint groups, out int groupLength)
    {
        groups = GroupLength == 0 ? 1 : depth / GroupLength;
        groupLength = GroupLength == 0 ? depth + (depth & 1) : GroupLength;
    }

    /// <summary>The word that holds number <paramref name="k"/> of a lane.</summary>
    public uint* Word(byte* panel, int lane, int k)
    {
        int start = GroupLength == 0 ? 0 : k / GroupLength * GroupLength;
        return (uint*)(panel + Offset(start) + ScaleBytes) + ((k - start) / InWord * (nint)Lanes) + lane;
    }

    /// <summary>The number itself.</summary>
    public float Value(byte* panel, int lane, int k)
    {
        (float scale, float minimum) = Scale(panel, lane, k);
        return Value(*Word(panel, lane, k) >> Shift(k), scale, minimum);
    }

    /// <summary>All numbers of a lane.</summary>
    public void CopyTo(byte* panel, int lane, Span<float> numbers)
    {
        int group = GroupLength == 0 ? numbers.Length : GroupLength;
        for (int start = 0; start < numbers.Length; start += group)
        {
            (float scale, float minimum) = Scale(panel, lane, start);
            uint* word = Word(panel, lane, start);
            Span<float> target = numbers.Slice(start, Math.Min(group, numbers.Length - start));
            for (int k = 0; k < target.Length; k += InWord, word += Lanes)
            {
                for (int i = k; i < Math.Min(k + InWord, target.Length); i++)
                {
                    target[i] = Value(*word >> Shift(i), scale, minimum);
                }
            }
        }
    }

    // From the lowest bits of a word.
    private float Value(uint word, float scale, float minimum)
    {
        uint code = word & (uint)((1L << _bits) - 1);
        return GroupLength > 0 ? MathF.FusedMultiplyAdd(scale, (int)code + _codeOffset, minimum)
            : _numbers == StoredNumbers.Float16 ? (float)BitConverter.UInt16BitsToHalf((ushort)code)
            : BitConverter.UInt32BitsToSingle(code << 16);
    }

    private (float Scale, float Minimum) Scale(byte* panel, int lane, int k)
    {
        if (_scaling == Scaling.None)
        {
            return default;
        }

        byte* group = panel + Offset(k / GroupLength * GroupLength);
        return _scaling switch
        {
            Scaling.Half => (HalfAt(group, lane), 0f),
            Scaling.HalfAndMinimum => (HalfAt(group, lane), HalfAt(group + (Lanes * 2), lane)),
            Scaling.Single => (((float*)group)[lane], 0f),
            _ => (((float*)group)[lane], ((float*)group)[Lanes + lane]),
        };
    }

    /// <summary>Puts one lane's group in place: its codes as <see cref="StoredBlocks.Split"/> gives them, its scale and minimum.</summary>
    /// <returns>False when the scale or minimum is no finite number, which the kernels for half precision do not take.</returns>
    public bool Write(byte* panel, int lane, int k, ReadOnlySpan<sbyte> codes, float scale, float minimum)
    {
        byte* group = panel + Offset(k);
        switch (_scaling)
        {
            case Scaling.HalfAndMinimum:
                *HalfPlace(group, lane) = BitConverter.HalfToUInt16Bits((Half)scale);
                *HalfPlace(group + (Lanes * 2), lane) = BitConverter.HalfToUInt16Bits((Half)minimum);
                break;
            case Scaling.Half:
                *HalfPlace(group, lane) = BitConverter.HalfToUInt16Bits((Half)scale);
                break;
            case Scaling.SingleAndMinimum:
                ((float*)group)[lane] = scale;
                ((float*)group)[Lanes + lane] = minimum;
                break;
            default:
                ((float*)group)[lane] = scale;
                break;
        }

        uint* words = (uint*)(group + ScaleBytes) + lane;
        for (int i = 0; i < codes.Length; i += InWord, words += Lanes)
        {
            uint word = 0;
            for (int j = 0; j < InWord; j++)
            {
                word |= (uint)(codes[i + j] - _codeOffset) << Shift(j);
            }

            *words = word;
        }

        return _scaling >= Scaling.Single || (float.IsFinite(scale) && float.IsFinite(minimum));
    }

    /// <summary>The same for a kernel of a GPU, which counts in words.</summary>
    public FrozenView View(int panelWords) => new()
    {
        Panel = panelWords,
        Bits = _bits,
        GroupLength = GroupLength,
        GroupWords = GroupLength == 0 ? 0 : (int)Offset(GroupLength) / sizeof(uint),
        ScaleWords = ScaleBytes / sizeof(uint),
        Scaling = (int)_scaling,
        CodeOffset = _codeOffset,
        IsBFloat = _numbers == StoredNumbers.BFloat16 ? 1 : 0,
    };

    // Of four bytes the first is the second: it then needs no shift to become part of a mantissa.
    private int Shift(int k) => _bits == 8 ? ((k + 1) & 3) * 8 : (k & (InWord - 1)) * _bits;

    private static float HalfAt(byte* scales, int lane) => (float)BitConverter.UInt16BitsToHalf(*HalfPlace(scales, lane));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ushort* HalfPlace(byte* scales, int lane) => (ushort*)scales + (2 * HalfBits.WordOf(lane)) + (HalfBits.InUpper(lane) ? 1 : 0);
}
