"""The two ways in which Kubernetes' tools read a plain scalar; they agree on everything but words and dates.

kubectl and the API machinery use go-yaml v2, kustomize v3. So `value: yes` is a boolean for the one and the text
"yes" for the other, and a date becomes a full time in what `kustomize build` prints. What is to equal kustomize's
output has to be read as kustomize reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gitopsd.plugin.yaml import scalars
from gitopsd.plugin.yaml.scalars import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """`words` are the texts that are booleans or null; with `dates`, dates become times in RFC 3339."""

    words: Mapping[str, bool | None]
    dates: bool

    def resolve(self, text: str) -> Scalar:
        """Return what the plain scalar `text` stands for; infinity and NaN come as floats, dates as they are."""
        return scalars.number(text) if text[:1] in scalars.NUMERIC else self.words.get(text, text)


KUBERNETES: Final = Dialect(words=scalars.WORDS, dates=False)
"""As sigs.k8s.io/yaml and kubectl."""

KUSTOMIZE: Final = Dialect(words=scalars.FEWER_WORDS, dates=True)
"""As kustomize, and so as Flux reads whatever a Kustomization builds."""
