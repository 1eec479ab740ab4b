from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Module:
    """One Python file that is shipped."""

    path: str
    text: str
    tree: ast.Module

    def calls(self) -> Iterator[tuple[int, str]]:
        """Line and dotted name of everything that is called or looked up."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute | ast.Name):
                yield node.lineno, ast.unparse(node)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def modules() -> Sequence[Module]:
    """Every Python file of the core and of the built-in plugins."""
    found = [path for top in ("gitopsd", "plugins/gitopsd_plugins") for path in sorted((ROOT / top).rglob("*.py"))]
    return [
        Module(path=str(path.relative_to(ROOT)), text=(text := path.read_text("utf-8")), tree=ast.parse(text))
        for path in found
    ]


@pytest.fixture(scope="session")
def tracked() -> Sequence[Path]:
    """Every file that is part of the project: what Git tracks, or all there is in an unpacked archive."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    hidden = (".venv", ".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")
    return [path for path in ROOT.rglob("*") if path.is_file() and not set(path.parts) & set(hidden)]
