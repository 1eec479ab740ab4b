"""A time stamping service (RFC 3161) of the test: openssl makes the stamps, by the clock of everybody."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

_AUTHORITY = (False, False, False, False, False, True, True, False, False)
"""The key signs certificates, and lists of those that are revoked."""

CONFIG = """
[tsa]
default_tsa = tests
[tests]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:{accuracy}
ess_cert_id_alg = sha256
"""
DAY = timedelta(days=1)


class Stamps:
    """Makes stamps in a folder. `root` is whom to trust, as PEM."""

    def __init__(self, folder: Path, name: str = "stamps", *, accuracy: int = 0) -> None:
        program = shutil.which("openssl")
        if program is None:
            pytest.skip("openssl is not installed")
        self._program = program
        self._folder = folder
        folder.mkdir(exist_ok=True)
        root, tsa = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        ca = self._builder(f"{name} root", f"{name} root", root)
        ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        ca = ca.add_extension(x509.KeyUsage(*_AUTHORITY), critical=True)
        leaf = self._builder(name, f"{name} root", tsa)
        leaf = leaf.add_extension(x509.KeyUsage(True, *[False] * 8), critical=True)
        leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        self.root = ca.sign(root, hashes.SHA256()).public_bytes(Encoding.PEM)
        (folder / "tsa.pem").write_bytes(leaf.sign(root, hashes.SHA256()).public_bytes(Encoding.PEM))
        (folder / "tsa.key").write_bytes(tsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (folder / "root.pem").write_bytes(self.root)
        (folder / "openssl.cnf").write_text(CONFIG.format(folder=folder, accuracy=accuracy))

    def _builder(self, name: str, issuer: str, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name.from_rfc4514_string(f"CN={name},O=Example,C=DE"))
            .issuer_name(x509.Name.from_rfc4514_string(f"CN={issuer},O=Example,C=DE"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 10 * DAY)
        )

    def answer(self, query: bytes) -> bytes:
        """The answer to a question of RFC 3161."""
        (self._folder / "query").write_bytes(query)
        self._run("-reply", "-queryfile", "query", "-out", "reply", "-chain", "root.pem")
        return (self._folder / "reply").read_bytes()

    def token(self, data: bytes) -> bytes:
        """A stamp of this data."""
        (self._folder / "data").write_bytes(data)
        self._run("-query", "-data", "data", "-sha256", "-cert", "-out", "query")
        self._run("-reply", "-queryfile", "query", "-token_out", "-out", "token", "-chain", "root.pem")
        return (self._folder / "token").read_bytes()

    def _run(self, *words: str) -> None:
        config = () if "-query" in words else ("-config", "openssl.cnf")
        subprocess.run([self._program, "ts", *words, *config], cwd=self._folder, check=True, capture_output=True)


@contextmanager
def serving(stamps: Stamps) -> Iterator[str]:
    """Its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = stamps.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
