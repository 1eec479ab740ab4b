"""The overlay over a tree in a worker process: encrypted files read as what they were, and what was in them is remembered.

Plaintext lives in this process only, which can neither be dumped nor looked into, and travels to the daemon in the rendered
objects. Where a render fails, its message is masked before it leaves.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from gitopsd.model import masking
from gitopsd.model.errors import GitopsdError, Rejected
from gitopsd.model.identity import ResourceId
from gitopsd.model.manifest import Manifest
from gitopsd.model.tree import File, Folder
from gitopsd.plugin.decryption import Answers, Decryptor, Keys, Lock, Locked
from gitopsd.plugin.tree import Tree

MAX_BESIDE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseal:
    """What a worker process opens files with. `decryptor` is `module:Class`."""

    decryptor: str
    keys: tuple[Keys, ...] = field(repr=False)
    verify: bool
    answers: Answers = field(default_factory=Answers)


def decryptor(named: str) -> Decryptor:
    """The decryptor that is `module:Class`."""
    module, _, name = named.partition(":")
    made: Decryptor = getattr(importlib.import_module(module), name)()
    return made


class Unsealing:
    """Opens what is sealed. `values` are the texts that were, `used` says whether anything was."""

    def __init__(self, order: Unseal) -> None:
        self._order = order
        self._decryptor = decryptor(order.decryptor)
        self._known: dict[tuple[str, bytes], bytes] = {}
        self.values: set[str] = set()
        self.used = False
        self.last = ""
        """The path of what was opened last, or could not be."""

    def reveal(self, path: str, data: bytes) -> bytes:
        """The file as it was; one that is not sealed is given back as it is."""
        if not self._decryptor.seals(path, data):
            return data
        known = self._known.get((path, data))
        if known is None:
            order = self._order
            self.last = path
            opened = self._decryptor.open(path, data, order.keys, order.answers, verify=order.verify)
            self.used = True
            self.values |= opened.values
            known = self._known[path, data] = opened.data
        return known

    def locks_beside(self, tree: Tree) -> Iterator[Lock]:
        """What is locked in the folder of the last file: services are better asked once than file by file."""
        folder = self.last.rpartition("/")[0]
        if not isinstance(tree.find(folder), Folder):
            return
        for name, entry in sorted(tree.list(folder).items()):
            if isinstance(entry, File) and entry.size <= MAX_BESIDE:
                path = f"{folder}/{name}" if folder else name
                try:
                    self.reveal(path, tree.read(path, sealed=True))
                except Locked as locked:
                    yield from locked.locks
                except GitopsdError:
                    continue  # whoever renders it will say so

    def revealed(self, manifest: Manifest) -> Manifest:
        """A Secret with values that are sealed files themselves, as a generator puts them there, with these opened."""
        data = manifest.body.get("data")
        if not manifest.secret or not isinstance(data, Mapping):
            return manifest
        opened = {key: self._value(manifest.id, key, value) for key, value in data.items()}
        if opened == data:
            return manifest
        return replace(manifest, body={**manifest.body, "data": opened})

    def _value(self, id: ResourceId, key: str, value: Any) -> Any:
        content = _decoded(value)
        if content is None:
            return value
        try:
            opened = self.reveal(key, content)
        except GitopsdError as error:
            raise Rejected(f"{id}: data: {error}", reason=error.reason) from error
        return value if opened is content else base64.b64encode(opened).decode()


def refuse_sealed(manifests: Sequence[Manifest], decryptors: Sequence[str]) -> None:
    """Raises `Rejected` for a Secret that is still encrypted: the cluster would get it so."""
    makers = [decryptor(named) for named in decryptors]
    for manifest in manifests:
        if manifest.secret and (found := next((d for d in makers if d.seals_object(manifest.body)), None)):
            raise Rejected(
                f"{manifest.id}: is encrypted with {found.name}, and is not to be decrypted; set spec.decryption with "
                f"provider: {found.name}, or the setting decryption for all apps",
                reason="DecryptionFailed",
            )


def named(manifests: Sequence[Manifest]) -> str:
    """The names of all objects in one text: a word of them is no secret, and to mask it would mask the names."""
    return "\0".join(f"{m.id}/{m.version}" for m in manifests)


def secrets_in(manifests: Sequence[Manifest]) -> Iterator[bytes]:
    """Every value of the Secrets among them, decoded; what stands in the names of objects is none."""
    names = named(manifests).encode()
    for manifest in manifests:
        if not manifest.secret:
            continue
        data, texts = manifest.body.get("data"), manifest.body.get("stringData")
        for value in data.values() if isinstance(data, Mapping) else ():
            if (content := _decoded(value)) and content not in names:
                yield content
        for value in texts.values() if isinstance(texts, Mapping) else ():
            if isinstance(value, str) and value.encode("utf-8", "surrogatepass") not in names:
                yield value.encode("utf-8", "surrogatepass")


@contextmanager
def discreet(known: Sequence[str], overlay: Unsealing | None) -> Iterator[None]:
    """No message of an error that leaves holds one of these values, nor one that was opened on the way; a bug's neither."""
    done = False
    try:
        yield
        done = True
    finally:
        error = None if done else sys.exc_info()[1]
        mask = masking.discreet((*known, *(overlay.values if overlay else ()))) if error else str
        while error is not None:
            error.args = tuple(mask(part) if isinstance(part, str) else part for part in error.args)
            error = error.__cause__ or error.__context__


def _decoded(value: Any) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
