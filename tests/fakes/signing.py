"""Keys and signatures, made as people make them: SSH ones by `ssh-keygen`, OpenPGP ones by a library that is not Git's."""

from __future__ import annotations

import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest


class SshSigner:
    """A fresh key of this type in this folder; `public` is its line."""

    def __init__(self, folder: Path, kind: str = "ed25519", bits: int | None = None) -> None:
        if shutil.which("ssh-keygen") is None:
            pytest.skip("ssh-keygen is not installed (Debian: openssh-client)")
        folder.mkdir(parents=True, exist_ok=True)
        self.key = folder / f"id_{kind}_{len(list(folder.iterdir()))}"
        size = ["-b", str(bits)] if bits else []
        _run("ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", "ada@example.org", "-f", str(self.key))
        self.public = self.key.with_suffix(".pub").read_text()

    def sign(self, payload: bytes, namespace: str = "git") -> bytes:
        return _run("ssh-keygen", "-Y", "sign", "-n", namespace, "-f", str(self.key), "-", given=payload)

    @property
    def fingerprint(self) -> str:
        return _run("ssh-keygen", "-l", "-f", str(self.key)).split()[1].decode()


class PgpSigner:
    """A fresh OpenPGP key; `public` is its armoured certificate, and may be exchanged for one that was changed."""

    def __init__(self, name: str = "Ada <ada@example.org>") -> None:
        pysequoia = pytest.importorskip("pysequoia", reason="pysequoia is not installed (extra [pgp])")
        self._library = pysequoia
        self._key = pysequoia.Tsk.generate(name)
        self.cert = self._key.extract_certificate()
        self.public = str(self.cert).encode()

    def sign(self, payload: bytes) -> bytes:
        return bytes(self._library.sign(self._key.signer(), payload, mode=self._library.SignatureMode.DETACHED))

    @property
    def key_id(self) -> str:
        return str(self.cert.fingerprint).upper()[-16:]

    def expiring(self, at: datetime) -> bytes:
        """The certificate with a date of expiry."""
        return str(self.cert.set_expiration(at, self._key.certifier())).encode()

    @property
    def revoked(self) -> bytes:
        """The certificate as its owner revoked it."""
        revocation = self.cert.revoke(self._key.certifier())
        return str(self._library.Cert.from_bytes(bytes(self.cert) + bytes(revocation))).encode()


def _run(*command: str, given: bytes = b"") -> bytes:
    return subprocess.run(command, input=given, check=True, capture_output=True).stdout
