"""Values inside of texts that hold YAML."""

from __future__ import annotations

import pytest

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.references import inlined


def test_a_text_that_cannot_be_written_again_as_it_is_spelled_is_refused_in_words() -> None:
    with pytest.raises(Rejected, match=r"cannot be written again as it is spelled: .*cannot start any token"):
        inlined.changed("a: b\t1\nc: d\n", ["c"], "x", None)
