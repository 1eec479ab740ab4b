"""An import in this process, and short ways to look at what it made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gitopsd.plugin.imports import Import
from gitopsd_plugins.aks import inputs, objects
from gitopsd_plugins.aks.inputs import Given

INPUTS = Path(__file__).parent / "inputs"


@dataclass(frozen=True)
class Made:
    """What an import made, by kind and name."""

    found: Import

    def body(self, kind: str, name: str) -> Mapping[str, Any]:
        return next(
            it.body for it in self.found.objects if it.body["kind"] == kind and it.body["metadata"]["name"] == name
        )

    def spec(self, kind: str, name: str) -> dict[str, Any]:
        """The spec, without the patch that every Kustomization of a Git source carries."""
        return {key: value for key, value in self.body(kind, name)["spec"].items() if key != "patches"}

    @property
    def names(self) -> list[str]:
        return [str(it.id) for it in self.found.objects]

    @property
    def secrets(self) -> dict[str, Mapping[str, str]]:
        return {it.id.name: it.body["data"] for it in self.found.secrets}

    @property
    def said(self) -> str:
        return "\n".join(note.text for note in self.found.notes)


Importing = Callable[..., Made]


@pytest.fixture
def imported(tmp_path: Path) -> Importing:
    """Import a text, or a file of `inputs`."""

    def run(
        text: str = "",
        *,
        file: str = "",
        parameters: Mapping[str, Any] | None = None,
        variables: Mapping[str, str] | None = None,
        settled: Mapping[str, Any] | None = None,
        tenancy: bool = True,
        folder: Path | None = None,
    ) -> Made:
        given = Given(parameters=parameters or {}, variables=variables or {}, settled=settled or {})
        content = (INPUTS / file).read_text() if file else text
        where = INPUTS if file else folder or tmp_path
        found = inputs.read(content, file=file or "input", folder=where, given=given)
        return Made(objects.made(found, tenancy=tenancy))

    return run
