"""Signatures as `ssh-keygen -Y sign` makes them and Git stores them (PROTOCOL.sshsig of OpenSSH), and the keys that may sign.

Keys are lines as in authorized_keys: what stands before the type is ignored, as Flux does, but for words that narrow what a
key may sign: such a line is refused, since to ignore it would trust more than it says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from gitopsd_plugins.git.signatures.signed import MalformedKey, SignatureError

NAMESPACE = b"git"
MIN_RSA = 2048
MAX_KEYS = 10_000

_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
_HASHES = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_ED25519, _SK_ED25519 = b"ssh-ed25519", b"sk-ssh-ed25519@openssh.com"
_SK_ECDSA = b"sk-ecdsa-sha2-nistp256@openssh.com"
_RSA = {b"rsa-sha2-256": hashes.SHA256(), b"rsa-sha2-512": hashes.SHA512()}
_CURVES: dict[bytes, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    b"nistp256": (ec.SECP256R1(), hashes.SHA256()),
    b"nistp384": (ec.SECP384R1(), hashes.SHA384()),
    b"nistp521": (ec.SECP521R1(), hashes.SHA512()),
}
_TOUCHED = 0x01
_LINE = re.compile(
    r"(?:^|\s)(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)"
    r"\s+([A-Za-z0-9+/]+={0,2})(?:\s|$)"
)
_NARROWS = re.compile(r"(?:^|[\s,])(cert-authority|namespaces=|valid-after=|valid-before=)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """One key that may sign, as it crosses the wire; `type` is its first field."""

    type: bytes
    blob: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii").rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signature:
    key: PublicKey
    namespace: bytes
    reserved: bytes
    hash: bytes
    algorithm: bytes
    blob: bytes
    rest: bytes
    """What a security key says beside its signature: flags and counter."""


def keys(text: str) -> Iterator[PublicKey]:
    """The keys of an authorized_keys file. Raises `MalformedKey` for the first line that is none."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.search(line)
        if found is None:
            raise MalformedKey(f"line {number} is no SSH public key")
        narrows = _NARROWS.search(line[: found.start(1)])
        if narrows:
            raise MalformedKey(
                f"line {number}: {narrows.group(1).rstrip('=')} is not served; keep type, key and comment"
            )
        try:
            blob = base64.b64decode(found.group(2), validate=True)
            kind, _ = _string(blob)
        except (binascii.Error, SignatureError) as error:
            raise MalformedKey(f"line {number} is no SSH public key") from error
        if kind != found.group(1).encode():
            raise MalformedKey(f"line {number} is called {found.group(1)} but holds another sort of key")
        yield PublicKey(type=kind, blob=blob)


def verified(armoured: bytes, payload: bytes, allowed: frozenset[PublicKey]) -> PublicKey:
    """The key that made this signature over these bytes. Raises `SignatureError`."""
    signature = _read(armoured)
    if signature.namespace != NAMESPACE:
        raise SignatureError(f"it was made for {signature.namespace.decode('utf-8', 'replace')[:40]!r}, not for git")
    if signature.key not in allowed:
        raise SignatureError(
            f"it was made with the key {signature.key.fingerprint}, which is not among the trusted ones"
        )
    digest = _HASHES.get(signature.hash)
    if digest is None:
        raise SignatureError("it uses a hash other than sha256 and sha512")
    message = (
        b"SSHSIG"
        + _packed(signature.namespace)
        + _packed(signature.reserved)
        + _packed(signature.hash)
        + _packed(digest(payload).digest())
    )
    try:
        _check(signature, message)
    except InvalidSignature as error:
        raise SignatureError(
            f"it does not fit to the content, though it names the key {signature.key.fingerprint}"
        ) from error
    except SignatureError:
        raise
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise SignatureError("its key or signature cannot be read") from error
    return signature.key


def _read(armoured: bytes) -> _Signature:
    text = armoured.strip()
    if not (text.startswith(_BEGIN) and text.endswith(_END)):
        raise SignatureError("its armour is not whole")
    try:
        data = base64.b64decode(b"".join(text[len(_BEGIN) : -len(_END)].split()), validate=True)
    except binascii.Error as error:
        raise SignatureError("its armour is no base64") from error
    if not data.startswith(b"SSHSIG\0\0\0\x01"):
        raise SignatureError("it is not of version 1")
    key, rest = _string(data[10:])
    namespace, rest = _string(rest)
    reserved, rest = _string(rest)
    hashed, rest = _string(rest)
    signature, rest = _string(rest)
    if rest:
        raise SignatureError("something follows it")
    algorithm, tail = _string(signature)
    blob, tail = _string(tail)
    return _Signature(
        key=PublicKey(type=_string(key)[0], blob=key),
        namespace=namespace,
        reserved=reserved,
        hash=hashed,
        algorithm=algorithm,
        blob=blob,
        rest=tail,
    )


def _check(signature: _Signature, message: bytes) -> None:
    kind, fields = signature.key.type, list(_strings(signature.key.blob))[1:]
    if kind == b"ssh-rsa":
        _check_rsa(signature, fields, message)
        return
    if signature.algorithm != kind:
        raise SignatureError("its algorithm is not that of its key")
    if kind in {_SK_ED25519, _SK_ECDSA}:
        message = _touched(signature, fields[-1], message)
    elif signature.rest:
        raise SignatureError("something follows it")
    if kind in {_ED25519, _SK_ED25519}:
        ed25519.Ed25519PublicKey.from_public_bytes(fields[0]).verify(signature.blob, message)
    else:
        _check_ecdsa(signature.blob, fields, message)


def _check_rsa(signature: _Signature, fields: list[bytes], message: bytes) -> None:
    digest = _RSA.get(signature.algorithm)
    if digest is None or signature.rest:
        raise SignatureError("an RSA key has to sign with rsa-sha2-256 or rsa-sha2-512")
    exponent, modulus = (int.from_bytes(part, "big") for part in fields[:2])
    if modulus.bit_length() < MIN_RSA:
        raise SignatureError(f"its RSA key has less than {MIN_RSA} bits")
    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    public.verify(signature.blob, message, padding.PKCS1v15(), digest)


def _check_ecdsa(blob: bytes, fields: list[bytes], message: bytes) -> None:
    curve, digest = _CURVES[fields[0]]
    public = ec.EllipticCurvePublicKey.from_encoded_point(curve, fields[1])
    r, s = (int.from_bytes(part, "big") for part in _strings(blob))
    public.verify(encode_dss_signature(r, s), message, ec.ECDSA(digest))


def _touched(signature: _Signature, application: bytes, message: bytes) -> bytes:
    """What a security key signs: its application, that somebody touched it, a counter, and the message's digest."""
    if len(signature.rest) != 5 or not signature.rest[0] & _TOUCHED:
        raise SignatureError("the security key was not touched")
    return hashlib.sha256(application).digest() + signature.rest + hashlib.sha256(message).digest()


def _packed(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _string(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:4], "big")
    if len(data) < 4 + size:
        raise SignatureError("it ends early")
    return data[4 : 4 + size], data[4 + size :]


def _strings(data: bytes) -> Iterator[bytes]:
    while data:
        found, data = _string(data)
        yield found
