"""PURE. What of an object must never be shown, and the same object with it masked: the one mechanism behind every output of a plan.

Masked are, by type: what a Secret holds, and what kubectl wrote down as last applied; by key: every value whose name says that it
is a password, a token or key material, wherever it stands (a field, an environment variable, a flag, a line of a file in a
ConfigMap); by form: private keys, and passwords in URLs. In doubt a value is masked: a reader asks again, a leak cannot be
undone.

All states of an object are masked together, so that a value which changes still shows as a change: `*** (before)`, `*** (after)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gitopsd.model.manifest import Body
from gitopsd.reconcile import items
from gitopsd.reconcile.authors import ABSENT, Absent

MASK = "***"
LEAST_HIDDEN = 4
"""Shorter values are looked for as whole texts only: parts of texts they are by chance."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_STEMS = (
    "password", "passwd", "passphrase", "passcode", "secret", "token", "credential", "bearer", "apikey", "accesskey",
    "privatekey", "signingkey", "encryptionkey", "masterkey", "sharedkey", "accountkey", "authkey", "clientkey", "sshkey",
    "licensekey", "storagekey", "connectionstring", "connstr", "dockerconfigjson", "dockercfg", "kubeconfig", "htpasswd",
    "pgpass", "netrc", "npmrc",
)  # fmt: skip
_WORDS = frozenset({"pwd", "pass", "pin", "pat", "otp", "dsn", "auth", "authorization", "salt", "jwt", "creds", "hmac"})
_FILES = (
    ".key", ".pem", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".asc", ".gpg", "id_rsa", "id_ed25519", "id_ecdsa",
    "id_dsa",
)  # fmt: skip
_REFERENCE = frozenset(
    [
        "name",
        "names",
        "ref",
        "refs",
        "namespace",
        "path",
        "paths",
        "file",
        "filename",
        "dir",
        "directory",
        "mount",
        "volume",
        "url",
        "uri",
        "endpoint",
        "host",
        "port",
        "ttl",
        "expiry",
        "expiration",
        "lifetime",
        "lifespan",
        "seconds",
        "minutes",
        "hours",
        "duration",
        "timeout",
        "interval",
        "type",
        "kind",
        "length",
        "size",
        "count",
        "limit",
        "policy",
        "mode",
        "enabled",
        "disabled",
        "required",
        "optional",
        "format",
        "version",
        "provider",
        "store",
        "class",
        "audience",
        "audiences",
        "issuer",
        "header",
        "algorithm",
        "rotation",
        "revision",
    ]
)
"""Last words of names that tell about a secret and are none."""
_HOLDERS = frozenset({"value", "plaintext", "content", "contents", "data", "string"})
"""Below a secret name, the names of what it holds."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ASSIGNED = re.compile(r"""(?<![\w.\-])-{0,2}(?P<name>[A-Za-z_][\w.\-]*+)["']?[ \t]*(?::=|=>|[:=])[ \t]*+(?=\S)""")
_FLAG = re.compile(r"--?[A-Za-z][\w.\-]*")
_PRIVATE = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----")
_URL = re.compile(r"(?<![a-z0-9+.\-])(?P<head>[a-z][a-z0-9+.\-]*+://[^\s/:@]*+:)(?P<password>[^\s/@]++)(?=@)", re.I)
_ELSEWHERE = re.compile(r"""["']?(?:\$\([\w.\-]+\)|\$\{[\w.\-:]+\}|\{\{[^{}]{0,200}\}\})["']?(?=[\s,;}\])]|$)""")
"""A reference to a variable, which is no secret itself."""
_BLOCK = re.compile(r"[|>][+\-0-9]*\s*(#.*)?")


class _Known(str):
    """A text with a value in it that is known to be secret."""

    __slots__ = ()


def masked(*states: Body | None, known: frozenset[str] = frozenset()) -> tuple[Body | None, ...]:
    """These states of one object, masked; None is a state in which it does not exist.

    Where a text of one state holds a value of `known`, all states of it are masked; a value of less than 4 characters counts
    only where it is the whole text or number.
    """
    seen = [_told(state, _Sought.of(known)) for state in states] if known else states
    found = _walk([ABSENT if state is None else state for state in seen], hidden=False)
    kinds = {(state.get("apiVersion"), state.get("kind")) for state in states if state is not None}
    if ("v1", "Secret") in kinds:
        found = [_with_hidden_data(known, all_of=states, at=index) for index, known in enumerate(found)]
    return tuple(None if state is None else known for state, known in zip(states, found, strict=True))


def values(body: Body) -> frozenset[str]:
    """The texts of an object that `masked` hides: what a message about it must not hold either."""
    (hidden,) = masked(body)
    return frozenset(text for text in _hidden(body, hidden) if text)


@lru_cache(maxsize=8192)
def is_secret_name(name: str) -> bool:
    """True for a name whose value is to be masked."""
    lower = name.lower()
    if lower.endswith(_FILES):
        return True
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _REFERENCE:
        return False
    joined = "".join(words)
    return any(stem in joined for stem in _STEMS) or not _WORDS.isdisjoint(words)


def _walk(states: list[Any], *, hidden: bool) -> list[Any]:
    """The states of one value; `hidden` by the name under which it stands."""
    if any(isinstance(state, Mapping) for state in states):
        return _mapping(states, hidden=hidden)
    if any(items.is_list(state) for state in states):
        return _list(states, hidden=hidden)
    if hidden:
        return _marked(states)
    return _texts(states)


def _mapping(states: list[Any], *, hidden: bool) -> list[Any]:
    maps = [state if isinstance(state, Mapping) else {} for state in states]
    labels = (state.get(key) for state in maps for key in ("name", "key"))
    named = any(isinstance(label, str) and is_secret_name(label) for label in labels)
    found: list[dict[str, Any]] = [{} for _ in maps]
    for key in dict.fromkeys(key for state in maps for key in state):
        below = key == LAST_APPLIED or is_secret_name(str(key)) or ((named or hidden) and key in _HOLDERS)
        for index, value in enumerate(_walk([state.get(key, ABSENT) for state in maps], hidden=below)):
            if value is not ABSENT:
                found[index][key] = value
    return [k if isinstance(s, Mapping) else _alone(s, hidden=hidden) for s, k in zip(states, found, strict=True)]


def _list(states: list[Any], *, hidden: bool) -> list[Any]:
    lists = [state if items.is_list(state) else [] for state in states]
    named = items.named(*lists)
    found: list[dict[str, Any]] = [{} for _ in lists]
    for name in dict.fromkeys(name for state in named for name in state):
        one = [state.get(name, ABSENT) for state in named]
        below = hidden or any(_follows_flag(state, name) for state in lists)
        for index, value in enumerate(_walk(one, hidden=below)):
            if value is not ABSENT:
                found[index][name] = value
    rows = [[known[name] for name in state] for state, known in zip(named, found, strict=True)]
    return [r if items.is_list(s) else _alone(s, hidden=hidden) for s, r in zip(states, rows, strict=True)]


def _alone(state: Any, *, hidden: bool) -> Any:
    """A state of another shape than the others."""
    return _walk([state], hidden=hidden)[0]


def _follows_flag(values: Sequence[Any], position: str) -> bool:
    """True for the argument behind a flag such as `--password`."""
    if not position.isdecimal() or not 0 < int(position) < len(values) or not isinstance(values[int(position)], str):
        return False
    before = values[int(position) - 1]
    return isinstance(before, str) and _FLAG.fullmatch(before) is not None and is_secret_name(before)


def _marked(states: list[Any]) -> list[Any]:
    """Scalars replaced by markers that say where they differ; what is absent, true or false stays."""
    present = [state for state in states if _is_hideable(state)]
    same = all(state == present[0] for state in present)
    return [_marker(state, states, same=same) if _is_hideable(state) else state for state in states]


def _marker(value: Any, states: list[Any], *, same: bool) -> str:
    if same:
        return MASK
    if value == states[0]:
        return f"{MASK} (before)"
    return f"{MASK} (after)" if value == states[-1] else f"{MASK} (sent)"


def _is_hideable(value: Any) -> bool:
    return not isinstance(value, bool | Absent) and value is not None


@dataclass(frozen=True, slots=True)
class _Sought:
    """Known values: those that are looked for inside of texts, and words that a text or number must be."""

    parts: tuple[str, ...]
    words: frozenset[str]

    @classmethod
    def of(cls, known: frozenset[str]) -> _Sought:
        return cls(
            tuple(v for v in known if len(v) >= LEAST_HIDDEN), frozenset(v for v in known if len(v) < LEAST_HIDDEN)
        )

    def stands_in(self, value: str | float) -> bool:
        text = str(value)
        return text in self.words or any(part in text for part in self.parts)


def _told(value: Any, sought: _Sought) -> Any:
    """The value, its texts and numbers with a known secret marked as such."""
    if isinstance(value, Mapping):
        return {key: _told(item, sought) for key, item in value.items()}
    if items.is_list(value):
        return [_told(item, sought) for item in value]
    told = isinstance(value, str | int | float) and not isinstance(value, bool) and sought.stands_in(value)
    return _Known(value) if told else value


def _texts(states: list[Any]) -> list[Any]:
    """Texts with the secrets that stand in them masked; those that differ in what is hidden say so."""
    if any(isinstance(state, _Known) for state in states):
        return _marked(states)
    found = [_text(state) if isinstance(state, str) else (state, ()) for state in states]
    keys = [hidden for state, (_, hidden) in zip(states, found, strict=True) if isinstance(state, str)]
    if all(key == keys[0] for key in keys):
        return [shown for shown, _ in found]
    return [
        shown.replace(MASK, _marker(hidden, [key for _, key in found], same=False)) if hidden else shown
        for shown, hidden in found
    ]


def _text(text: str) -> tuple[str, tuple[str, ...]]:
    """A text without its secrets, and these: private keys as a whole, passwords of URLs, and what is assigned."""
    if _PRIVATE.search(text):
        return MASK, (text,)
    passwords: tuple[str, ...] = ()
    if "://" in text:
        passwords = tuple(found["password"] for found in _URL.finditer(text))
        text = _URL.sub(lambda found: f"{found['head']}{MASK}", text)
    if "=" not in text and ":" not in text:
        return text, passwords
    shown, hidden = _assigned(text)
    return shown, (*passwords, *hidden)


def _assigned(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with the rest of each line masked behind a secret name, blocks that begin there too; and what was masked."""
    lines: list[str] = []
    hidden: list[str] = []
    block = -1
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        if block >= 0 and (indent > block or not line.strip()):
            hidden.append(line)
            continue
        block = -1
        found = next((f for f in _ASSIGNED.finditer(line) if _is_assigned(f, line)), None)
        if found is None:
            lines.append(line)
            continue
        value = line[found.end() :]
        hidden.append(value)
        lines.append(line[: found.end()] + MASK)
        block = indent if _BLOCK.fullmatch(value) else -1
    return "\n".join(lines), tuple(hidden)


def _is_assigned(found: re.Match[str], line: str) -> bool:
    at = found.end()
    return is_secret_name(found["name"]) and not line.startswith(MASK, at) and not _ELSEWHERE.match(line, at)


def _with_hidden_data(body: Any, *, all_of: Sequence[Body | None], at: int) -> Any:
    """A Secret with every value of data and stringData masked, whatever its name."""
    if not isinstance(body, Mapping):
        return body
    found = dict(body)
    for part in ("data", "stringData"):
        maps = [m if state and isinstance(m := state.get(part), Mapping) else {} for state in all_of]
        if isinstance(body.get(part), Mapping):
            found[part] = {key: _marked([m.get(key, ABSENT) for m in maps])[at] for key in body[part]}
    return found


def _hidden(value: Any, shown: Any) -> Iterator[str]:
    """What stands in `value` where `shown` has something else."""
    if isinstance(value, Mapping) and isinstance(shown, Mapping):
        for key in value:
            yield from _hidden(value[key], shown.get(key))
    elif items.is_list(value) and items.is_list(shown):
        for one, other in zip(value, shown, strict=False):
            yield from _hidden(one, other)
    elif value != shown and shown == MASK:
        yield str(value)
    elif isinstance(value, str) and value != shown:
        yield from (text.strip() for text in _text(value)[1])
