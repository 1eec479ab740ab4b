"""gitopsd's own annotations on a declared object: what they may say, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from gitopsd.plugin import Adopt, Atomic, DriftPolicy, Policy, SpecError, keys

T = TypeVar("T")
_ADOPT = {"true": Adopt.ALWAYS, "false": Adopt.NEVER} | {str(a): a for a in Adopt}
_ATOMIC = {str(a): a for a in Atomic}
_DRIFT = {str(d): d for d in DriftPolicy}


def read(annotations: Mapping[str, str], *, atomic: Atomic | None = None, force: bool = False) -> Policy:
    """The policy; `atomic` where no annotation says otherwise. Raises `SpecError` naming key and allowed values."""
    return Policy(
        adopt=_one_of(annotations, keys.ADOPT, _ADOPT),
        atomic=_one_of(annotations, keys.ATOMIC, _ATOMIC) or atomic,
        approved=frozenset(_listed(annotations, keys.APPROVE)),
        delete_confirmed=_one_of(annotations, keys.DELETE, {"confirmed": True}) or False,
        force=force,
        drift=_one_of(annotations, keys.DRIFT, _DRIFT) or DriftPolicy.ENABLED,
        stage_kinds=frozenset(_kinds(annotations)),
    )


def strict(annotations: Mapping[str, str]) -> bool:
    """Whether a post-build variable that nothing provides is an error."""
    return _one_of(annotations, keys.SUBSTITUTE, {"strict": True, "lenient": False}) is not False


def verify_mac(annotations: Mapping[str, str]) -> bool | None:
    """Whether encrypted files that were changed since are refused; None leaves it to the setting."""
    return _one_of(annotations, keys.SOPS_MAC, {"verify": True, "ignore": False})


def cluster(annotations: Mapping[str, str]) -> str | None:
    """The name of the cluster that is meant; None for the only one."""
    if keys.CLUSTER not in annotations:
        return None
    if not (name := annotations[keys.CLUSTER].strip()):
        raise _wrong(keys.CLUSTER, "", "the name of a declared Cluster")
    return name


def _kinds(annotations: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for item in _listed(annotations, keys.STAGE_KINDS):
        group, _, kind = item.rpartition("/")
        if not kind[:1].isupper() or "/" in group:
            raise _wrong(keys.STAGE_KINDS, item, "GROUP/KIND, the core group's as KIND alone, with commas between")
        yield group, kind


def _listed(annotations: Mapping[str, str], key: str) -> list[str]:
    return [item.strip() for item in annotations.get(key, "").split(",") if item.strip()]


def _one_of(annotations: Mapping[str, str], key: str, words: Mapping[str, T]) -> T | None:
    if key not in annotations:
        return None
    value = annotations[key].strip()
    if value not in words:
        raise _wrong(key, value, " or ".join(dict.fromkeys(words)))
    return words[value]


def _wrong(key: str, value: str, wanted: str) -> SpecError:
    return SpecError(f"annotation {key} is {value!r}; write {wanted}", path=("metadata", "annotations", key))
