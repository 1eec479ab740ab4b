"""The fixture for the tests of plugin authors, as its page tells to use it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"```python\n# (\S+\.py)\n(.*?)```", re.DOTALL)


def test_the_example_of_the_page_runs_as_it_is(tmp_path: Path) -> None:
    files = dict(BLOCK.findall((ROOT / "docs/sandbox.md").read_text()))
    assert sorted(files) == ["conftest.py", "test_busy.py"]
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (found.returncode, "1 passed" in found.stdout) == (0, True), found.stdout
