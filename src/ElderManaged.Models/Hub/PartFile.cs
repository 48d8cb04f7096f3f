using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;

namespace ElderManaged.Models.Hub;

/// <summary>
/// The part of a file that is there already, under a temporary name beside the final one, and a note of what it is a part
/// of: the hub's checksum, and the tag that the server asks for when a download goes on.
/// </summary>
internal sealed class PartFile : IDisposable
{
    private readonly string _path, _note, _target;
    private FileStream? _stream;
    private IncrementalHash? _sha256;

    public PartFile(string target)
    {
        string hidden = "." + Path.GetFileName(target);
        string folder = Path.GetDirectoryName(target)!;
        (_target, _path, _note) = (target, Path.Combine(folder, hidden + ".part"), Path.Combine(folder, hidden + ".part.note"));
        string[] lines = File.Exists(_note) && File.Exists(_path) ? File.ReadAllLines(_note) : [];
        Checksum = lines.Length == 2 && lines[0].Length > 0 ? lines[0] : null;
        Tag = lines.Length == 2 && EntityTagHeaderValue.TryParse(lines[1], out EntityTagHeaderValue? tag) ? tag : null;
        if (Checksum is null && Tag is null)
        {
            Discard();
        }
    }

    public long Length => _stream?.Length ?? (File.Exists(_path) ? new FileInfo(_path).Length : 0);

    /// <summary>What the hub named as the whole file's identity, or null.</summary>
    public string? Checksum { get; private set; }

    /// <summary>The tag of the server that sent the bytes, or null.</summary>
    public EntityTagHeaderValue? Tag { get; private set; }

    /// <summary>Opens for writing: behind what is there, or from the beginning.</summary>
    public void Open(bool resume, string? checksum, EntityTagHeaderValue? tag)
    {
        Close();
        if (!resume)
        {
            Discard();
        }

        (Checksum, Tag) = (checksum, tag);
        File.WriteAllText(_note, $"{checksum}\n{tag}");
        _stream = new FileStream(_path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, 1 << 16);
        _sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 16];
        for (int n; (n = _stream.Read(buffer)) > 0;)
        {
            _sha256.AppendData(buffer.AsSpan(0, n));
        }
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        _stream!.Write(bytes);
        _sha256!.AppendData(bytes);
    }

    /// <summary>The SHA-256 of what is there, in hexadecimal digits.</summary>
    public string Sha256() => Convert.ToHexStringLower(_sha256!.GetCurrentHash());

    /// <summary>The SHA-1 that git would give what is there as a blob.</summary>
    public string GitSha1()
    {
#pragma warning disable CA5350 // git's name for the file, not a secret
        using IncrementalHash sha1 = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
#pragma warning restore CA5350
        sha1.AppendData(Encoding.ASCII.GetBytes($"blob {_stream!.Length}\0"));
        _stream.Position = 0;
        byte[] buffer = new byte[1 << 16];
        for (int n; (n = _stream.Read(buffer)) > 0;)
        {
            sha1.AppendData(buffer.AsSpan(0, n));
        }

        return Convert.ToHexStringLower(sha1.GetHashAndReset());
    }

    /// <summary>Forces the bytes to the disk and gives the file its name.</summary>
    public void Finish()
    {
        _stream!.Flush(flushToDisk: true);
        Close();
        File.Move(_path, _target, overwrite: true);
        File.Delete(_note);
    }

    public void Discard()
    {
        Close();
        File.Delete(_path);
        File.Delete(_note);
        (Checksum, Tag) = (null, null);
    }

    public void Dispose() => Close();

    private void Close()
    {
        _stream?.Dispose();
        _sha256?.Dispose();
        (_stream, _sha256) = (null, null);
    }
}
