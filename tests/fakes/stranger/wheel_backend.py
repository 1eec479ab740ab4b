"""The smallest build backend: one module and its metadata in a wheel."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

INFO = "gitopsd_literal-1.2.3.dist-info"
FILES = {
    "gitopsd_literal.py": Path("gitopsd_literal.py"),
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: gitopsd-literal\nVersion: 1.2.3\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: wheel_backend\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{INFO}/entry_points.txt": "[gitopsd]\nliteral = gitopsd_literal\n",
}


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    name = "gitopsd_literal-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / name, "w") as wheel:
        for path, content in FILES.items():
            wheel.writestr(path, content.read_text() if isinstance(content, Path) else content)
        wheel.writestr(f"{INFO}/RECORD", "".join(f"{path},,\n" for path in (*FILES, f"{INFO}/RECORD")))
    return name
