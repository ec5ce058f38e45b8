"""Create certificates for one test: an authority, and the certificates that it signs."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK: tuple[x509.GeneralName, ...] = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
)


@dataclass(frozen=True)
class Authority:
    """Sign certificates into files of its directory; its own is `ca.pem` there."""

    directory: Path
    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, directory: Path, name: str = "Test CA") -> Authority:
        directory.mkdir(exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = _certificate(name, name, key.public_key()).add_extension(x509.BasicConstraints(True, None), True)
        authority = cls(directory, name, key, unsigned.sign(key, hashes.SHA256()))
        authority.file.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
        return authority

    @property
    def file(self) -> Path:
        return self.directory / "ca.pem"

    def sign(self, name: str, *sans: x509.GeneralName, password: bytes | None = None) -> tuple[Path, Path]:
        """Write NAME.pem and NAME.key, and return their paths."""
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = _certificate(name, self.name, key.public_key())
        if sans:
            unsigned = unsigned.add_extension(x509.SubjectAlternativeName(sans), critical=False)
        encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        pem, key_file = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        pem.write_bytes(unsigned.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )
        return pem, key_file

    def client(self, name: str | None = None, *sans: x509.GeneralName) -> ssl.SSLContext:
        """Return an SSL context that trusts this authority, with a client certificate if it has a name."""
        context = ssl.create_default_context(cafile=str(self.file))
        if name is not None:
            context.load_cert_chain(*self.sign(name, *sans))
        return context


def _certificate(subject: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
