"""Keys and values for generators, from env files, literals and files, in kustomize's order and with its rules."""

from __future__ import annotations

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.files.kustomization import Generator
from gitopsd_plugins.kustomize.files.loader import Loader

_BOM = b"\xef\xbb\xbf"


def read(generator: Generator, loader: Loader, *, sealed: bool) -> dict[str, bytes]:
    """All pairs; `sealed`: files that are encrypted stay so. Raises `Rejected` naming generator, key and source; values are never shown."""
    result: dict[str, bytes] = {}
    envs = (*generator.envs, *((generator.env,) if generator.env else ()))
    sources = (
        *(pair for path in envs for pair in _env_file(loader.read(path, sealed=sealed), loader.shown(path))),
        *map(_literal, generator.literals),
        *(_file(source, loader, sealed=sealed) for source in generator.files),
    )
    for key, value in sources:
        if key in result:
            raise Rejected(f"generator {generator.name} illegally repeats the key {key!r}")
        result[key] = value
    return result


def _literal(source: str) -> tuple[str, bytes]:
    key, equals, value = source.partition("=")
    if not key or not equals:
        raise Rejected(f"invalid literal source {key + '...' if key else source[:1]!r}, expected key=value")
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return key, value.encode()


def _file(source: str, loader: Loader, *, sealed: bool) -> tuple[str, bytes]:
    key, equals, path = source.partition("=")
    if not equals:
        return source.rstrip("/").rpartition("/")[2], loader.read(source, sealed=sealed)
    if not key or not path or "=" in path:
        raise Rejected(f"invalid file source {source!r}, expected path or key=path")
    return key, loader.read(path, sealed=sealed)


def _env_file(data: bytes, file: str) -> list[tuple[str, bytes]]:
    pairs: list[tuple[str, bytes]] = []
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), start=1):
        line = line.removesuffix(b"\r")
        try:
            text = line.decode().lstrip()
        except UnicodeDecodeError as error:
            raise Rejected(f"{file}:{number}: invalid UTF-8") from error
        if not text or text.startswith("#"):
            continue
        key, _, value = text.partition("=")
        if key:
            pairs.append((key, value.encode()))
    return pairs
