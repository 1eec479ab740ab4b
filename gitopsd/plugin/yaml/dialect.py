"""The two ways in which Kubernetes' tools read a plain scalar.

kubectl and the API machinery use go-yaml v2, kustomize v3, whose words are fewer: `value: yes` is a boolean for the one
and the text "yes" for the other. What `kustomize build` prints has also been through Go's JSON, which leaves its mark
on dates and numbers. What is to equal kustomize's output has to be read as kustomize reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gitopsd.plugin.yaml import folding, scalars, timestamps
from gitopsd.plugin.yaml.scalars import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """`words` are the texts that are booleans or null; `through_json` says whether values are as Go's JSON leaves them.

    `folded` is what becomes of the text of a folded block.
    """

    words: Mapping[str, bool | None]
    through_json: bool
    folded: Callable[[str], str]

    def resolve(self, text: str) -> Scalar:
        """Return what the plain scalar `text` stands for; infinity and NaN come as floats, dates as they are."""
        return scalars.number(text) if text[:1] in scalars.NUMERIC else self.words.get(text, text)


KUBERNETES: Final = Dialect(words=scalars.WORDS, through_json=False, folded=str)
"""As sigs.k8s.io/yaml and kubectl."""

KUSTOMIZE: Final = Dialect(words=scalars.FEWER_WORDS, through_json=True, folded=folding.folded_again)
"""As kustomize, and so as Flux reads whatever a Kustomization builds."""


def through_json(value: Scalar) -> Scalar:
    """Return a plain scalar as Go's JSON leaves it.

    Whole floats are integers, integers past 64 bits floats, dates and times RFC 3339.
    """
    match value:
        case str():
            return timestamps.canonical(value) or value
        case float() if value.is_integer() and abs(value) < 2**63:
            return int(value)
        case int() if not -(2**63) <= value < 2**64:
            return float(value)
    return value
