"""Which encrypted file can be opened with which key: names only, and no content. What services keep is named, not asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gitopsd.plugin import Answers, GitopsdError, Keys, Locked
from gitopsd_plugins.sops import datakey, formats, keyring, metadata
from gitopsd_plugins.sops.agekeys import Closed
from gitopsd_plugins.sops.decryptor import SopsDecryptor
from gitopsd_plugins.sops.keyring import Keyring
from gitopsd_plugins.sops.metadata import MasterKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One file. `openers` are pairs of what it is encrypted for and the key at hand; `asked`: what a service keeps."""

    path: str
    form: str
    openers: tuple[tuple[str, str], ...] = ()
    asked: tuple[str, ...] = ()
    problem: str = ""


def of(path: str, data: bytes, keys: Sequence[Keys], *, verify: bool) -> Finding | None:
    """What is found about a file; None for one that is not encrypted."""
    decryptor = SopsDecryptor()
    if not decryptor.seals(path, data):
        return None
    form, ring = formats.told(path, data), keyring.of(keys)
    finding = Finding(path=path, form=form.name if form else "?")
    try:
        for part in form.load(data) if form else ():
            if part.metadata is not None:
                masters = tuple(metadata.read(part.metadata).master_keys)
                openers = tuple(dict.fromkeys((*finding.openers, *_openers(masters, ring))))
                services = tuple(str(key) for key in masters if key.sort not in datakey.LOCAL)
                finding = replace(finding, openers=openers, asked=tuple(dict.fromkeys((*finding.asked, *services))))
        decryptor.open(path, data, keys, Answers(), verify=verify)
    except Locked:
        return finding
    except GitopsdError as error:
        return replace(finding, problem=str(error).removeprefix(f"{path}: "))
    return finding


def _openers(masters: Sequence[MasterKey], ring: Keyring) -> Iterator[tuple[str, str]]:
    for master in masters:
        for key in ring.age if master.sort == "age" else ring.pgp if master.sort == "pgp" else ():
            try:
                datakey.LOCAL[master.sort](master.sealed, (key,))
            except Closed:
                continue
            yield str(master), key.place
