namespace ElderManaged.Benchmarks.Onnx;

/// <summary>
/// Builds the bytes of an ONNX model by hand (field numbers of onnx.proto3, IR version 9, operators of version 20), so that a
/// peer can run the same graph with the same weights without a file or another package.
/// </summary>
internal sealed class OnnxGraph
{
    private const int IrVersion = 9, OperatorVersion = 20;
    private const int FloatType = 1, Int64Type = 7;
    private const int AttributeFloat = 1, AttributeInt = 2, AttributeString = 3, AttributeInts = 7;

    // Fields of GraphProto: node = 1, name = 2, initializer = 5, input = 11, output = 12. The order in the file is free.
    private readonly ProtoMessage graph = new ProtoMessage().Text(2, "benchmark");
    private int made;

    /// <summary>An input of the graph; a size of 0 may differ from call to call.</summary>
    public string Input(string name, params ReadOnlySpan<long> sizes)
    {
        graph.Message(11, ValueInfo(name, sizes));
        return name;
    }

    /// <summary>Names a value as an output of the graph.</summary>
    public string Output(string name, params ReadOnlySpan<long> sizes)
    {
        graph.Message(12, ValueInfo(name, sizes));
        return name;
    }

    /// <summary>A constant tensor of floats; the memory must not change before <see cref="ToModel"/>.</summary>
    public string Constant(ReadOnlyMemory<float> values, params ReadOnlySpan<long> sizes)
    {
        string name = $"c{made++}";
        graph.Message(5, Sizes(new ProtoMessage(), 1, sizes).Integer(2, FloatType).Text(8, name).Raw(9, values));
        return name;
    }

    /// <summary>A constant vector of integers, such as a shape.</summary>
    public string Constant(params ReadOnlySpan<long> values)
    {
        string name = $"c{made++}";
        graph.Message(5, new ProtoMessage().Integer(1, values.Length).Integer(2, Int64Type).Text(8, name).Raw(9, values));
        return name;
    }

    /// <summary>One operator with one result, whose name is returned.</summary>
    public string Node(string type, ReadOnlySpan<string> inputs, params ReadOnlySpan<OnnxAttribute> attributes) =>
        Node(type, inputs, [$"v{made++}"], attributes)[0];

    /// <summary>One operator with named results.</summary>
    public string[] Node(string type, ReadOnlySpan<string> inputs, string[] results, params ReadOnlySpan<OnnxAttribute> attributes)
    {
        // NodeProto: input = 1, output = 2, op_type = 4, attribute = 5
        ProtoMessage node = new();
        foreach (string input in inputs)
        {
            node.Text(1, input);
        }

        foreach (string result in results)
        {
            node.Text(2, result);
        }

        node.Text(4, type);
        foreach (OnnxAttribute attribute in attributes)
        {
            node.Message(5, Attribute(attribute));
        }

        graph.Message(1, node);
        return results;
    }

    /// <summary>The model as a runtime reads it.</summary>
    public byte[] ToModel() => new ProtoMessage()
        .Integer(1, IrVersion)
        .Text(2, "ElderManaged.Benchmarks")
        .Message(7, graph)
        .Message(8, new ProtoMessage().Text(1, "").Integer(2, OperatorVersion))
        .ToArray();

    // AttributeProto: name = 1, f = 2, i = 3, s = 4, ints = 8, type = 20
    private static ProtoMessage Attribute(OnnxAttribute attribute)
    {
        ProtoMessage message = new ProtoMessage().Text(1, attribute.Name);
        return attribute.Value switch
        {
            float f => message.Float(2, f).Integer(20, AttributeFloat),
            long i => message.Integer(3, i).Integer(20, AttributeInt),
            string s => message.Text(4, s).Integer(20, AttributeString),
            long[] list => Sizes(message, 8, list).Integer(20, AttributeInts),
            _ => throw new ArgumentException($"OnnxGraph: the attribute {attribute.Name} is a {attribute.Value.GetType().Name}; give a float, long, string or long[]."),
        };
    }

    // ValueInfoProto: name = 1, type = 2 { tensor_type = 1 { elem_type = 1, shape = 2 { dim = 1 { dim_value = 1 or dim_param = 2 } } } }
    private static ProtoMessage ValueInfo(string name, ReadOnlySpan<long> sizes)
    {
        ProtoMessage shape = new();
        for (int axis = 0; axis < sizes.Length; axis++)
        {
            shape.Message(1, sizes[axis] == 0 ? new ProtoMessage().Text(2, $"{name}_{axis}") : new ProtoMessage().Integer(1, sizes[axis]));
        }

        ProtoMessage tensor = new ProtoMessage().Integer(1, FloatType).Message(2, shape);
        return new ProtoMessage().Text(1, name).Message(2, new ProtoMessage().Message(1, tensor));
    }

    private static ProtoMessage Sizes(ProtoMessage message, int field, ReadOnlySpan<long> sizes)
    {
        foreach (long size in sizes)
        {
            message.Integer(field, size);
        }

        return message;
    }
}

/// <summary>A named setting of an operator: a float, a long, a string or a long[].</summary>
internal readonly record struct OnnxAttribute(string Name, object Value);
