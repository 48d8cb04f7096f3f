namespace ElderManaged.Tensors;

/// <summary>A device is missing, refused, out of memory or lost; the message says which and what to do.</summary>
public sealed class DeviceException : Exception
{
    /// <summary>An exception without a message.</summary>
    public DeviceException()
    {
    }

    /// <summary>An exception with a message for people.</summary>
    public DeviceException(string message) : base(message)
    {
    }

    /// <summary>An exception with what caused it.</summary>
    public DeviceException(string message, Exception inner) : base(message, inner)
    {
    }
}
