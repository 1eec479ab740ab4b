"""Names of artifacts: `oci://HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

SCHEME = "oci://"

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::([0-9]{1,5}))?")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._/]|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_DOCKER_HUB = {"docker.io", "index.docker.io", "registry-1.docker.io"}


class ReferenceFormatError(ValueError):
    """Text that names no artifact; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository of a registry. `host` with its port, as it was written."""

    host: str
    path: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.host}/{self.path}"

    @property
    def server(self) -> str:
        """Who answers for the host: Docker Hub's registry has another name than the hub."""
        return "index.docker.io" if self.host in _DOCKER_HUB else self.host

    @property
    def name(self) -> str:
        """The repository's name on the server: Docker Hub keeps its own images below `library`."""
        return f"library/{self.path}" if self.host in _DOCKER_HUB and "/" not in self.path else self.path

    @property
    def local(self) -> bool:
        """True for this machine itself, which needs no TLS."""
        name = self.host.rpartition(":")[0] if not self.host.endswith("]") and ":" in self.host else self.host
        return name == "localhost" or name == "[::1]" or re.fullmatch(r"127(\.[0-9]{1,3}){3}", name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An artifact: `tag` and `digest` are '' where they were not named; a digest decides."""

    repository: Repository
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


def read(text: str) -> Reference:
    """Read a reference, `oci://` included. Raises `ReferenceFormatError`."""
    if not text.startswith(SCHEME):
        raise ReferenceFormatError(f"{text!r} does not begin with {SCHEME}")
    rest, at, digest = text.removeprefix(SCHEME).partition("@")
    host, slash, path = rest.partition("/")
    path, colon, tag = path.partition(":")
    found = _HOST.fullmatch(host)
    if not found or not slash or not 0 < int(found[1] or 443) < 65536:
        raise ReferenceFormatError(f"{text!r} names no registry; write it as {SCHEME}HOST/REPOSITORY")
    if "." not in host and ":" not in host and host != "localhost":
        # other clients take such a name for a repository of Docker Hub, whom nobody named
        raise ReferenceFormatError(
            f"{host!r} is no registry: give the host a domain or a port, or write docker.io/{host}"
        )
    if not _REPOSITORY.fullmatch(path) or len(path) > 255:
        raise ReferenceFormatError(
            f"{path!r} is no name of a repository; it is made of a-z, 0-9 and single . _ - / between"
        )
    if colon and not is_tag(tag):
        raise ReferenceFormatError(f"{tag!r} is no tag; it is made of up to 128 letters, digits, _ . and -")
    if at and not is_digest(digest):
        raise ReferenceFormatError(f"{digest!r} is no digest such as sha256:... with 64 hex digits")
    return Reference(repository=Repository(host=host, path=path), tag=tag, digest=digest)


def is_tag(text: str) -> bool:
    """True for what registries take as a tag."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """True for a digest of an algorithm that is checked here."""
    return _DIGEST.fullmatch(text) is not None
