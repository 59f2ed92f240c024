"""Certificates for servers on loopback, good and bad ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def self_signed(folder: Path, address: str = "127.0.0.1", *, days: float = 90) -> Path:
    """Write a certificate for `address` and its key into one file, and return that.

    It is its own authority, and valid for so many days from now.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    ends = datetime.now(UTC) + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=365))
        .not_valid_after(ends)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


@dataclass(frozen=True)
class Chain:
    """What a server sends, with its key, and the files that hold one certificate each."""

    served: Path
    files: Mapping[str, Path]


def issued(folder: Path, flaw: str = "") -> Chain:
    """Write a server's certificate of a private authority: a root, an issuer, a server.

    Nothing in it is marked as critical. `flaw` is what is wrong with it, as the tests name it.
    """
    keys = {who: ec.generate_private_key(ec.SECP256R1()) for who in ("root", "issuer", "server")}
    extensions: dict[str, list[x509.ExtensionType]] = {
        "root": [x509.BasicConstraints(ca=True, path_length=None)],
        "issuer": [x509.BasicConstraints(flaw != "issuer is no authority", None)],
        "server": [],
    }
    if flaw != "common name only":
        address = x509.IPAddress(ip_address("127.0.0.1"))
        extensions["server"].append(x509.SubjectAlternativeName([address]))
    if flaw == "not for servers":
        extensions["server"].append(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]))
    made: dict[str, bytes] = {}
    for who, issuer in (("root", "root"), ("issuer", "root"), ("server", "issuer")):
        builder = _unsigned(who, issuer, keys[who].public_key())
        for extension in extensions[who]:
            builder = builder.add_extension(extension, critical=False)
        certificate = builder.sign(keys[issuer], hashes.SHA256())
        made[who] = certificate.public_bytes(serialization.Encoding.PEM)
    files = {who: folder / f"{who}.pem" for who in made}
    for who, pem in made.items():
        files[who].write_bytes(pem)
    key = keys["server"].private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    served = folder / "served.pem"
    between = b"" if flaw == "issuer not sent" else made["issuer"]
    served.write_bytes(key + made["server"] + between)
    return Chain(served, files)


def _unsigned(who: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    names = {"root": "Our root", "issuer": "Our issuer", "server": "127.0.0.1"}
    subject, by = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[each])]) for each in (who, issuer)
    )
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
    )
