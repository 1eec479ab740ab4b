from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "gitopsd.service"
ANALYZE = shutil.which("systemd-analyze")


def service() -> dict[str, list[str]]:
    """The `[Service]` section; a key may stand there more than once."""
    keys: dict[str, list[str]] = {}
    section = ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            keys.setdefault(key, []).append(value)
    return keys


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_the_unit_is_clean_for_systemd(tmp_path: Path) -> None:
    # verify also looks for the program, which need not be installed where the tests run
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/gitopsd run", "/bin/true run"))

    done = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False, timeout=30
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_the_service_is_as_closed_as_its_job_allows_and_says_why_it_is_not_more() -> None:
    done = subprocess.run(
        [str(ANALYZE), "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    counted = [line.split()[1].rstrip("=") for line in done.stdout.splitlines() if line.startswith("✗")]
    exposure = float(re.findall(r"exposure level for \S+: ([\d.]+)", done.stdout)[0])

    assert exposure <= 1.2, done.stdout
    told = UNIT.read_text().split("each because the job needs it:")[1]
    names = {"RestrictAddressFamilies=~AF_UNIX": "AF_UNIX", "RestrictAddressFamilies=~AF_(INET|INET6)": "AF_INET6"}
    names |= {"RootDirectory=/RootImage": "RootDirectory", "SystemCallFilter=~@resources": "@resources"}
    assert [name for name in counted if names.get(name, name) not in told] == []


def test_the_service_tells_when_it_is_ready_is_watched_and_can_reload() -> None:
    keys = service()

    assert keys["Type"] == ["notify"]
    assert keys["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert "WatchdogSec" in keys
    assert keys["ExecStart"] == ["/usr/bin/gitopsd run -c /etc/gitopsd"]


def test_the_service_owns_its_folders_and_can_do_little_else() -> None:
    keys = service()

    assert keys["StateDirectory"] == keys["RuntimeDirectory"] == keys["ConfigurationDirectory"] == ["gitopsd"]
    assert keys["StateDirectoryMode"] == ["0700"]
    assert keys["CapabilityBoundingSet"] == [""]
    for key in ("DynamicUser", "NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictNamespaces"):
        assert keys[key] == ["yes"], key
    assert keys["ProtectSystem"] == ["strict"]


def test_the_image_runs_as_nobody_in_particular_and_starts_the_daemon() -> None:
    lines = (ROOT / "Containerfile").read_text().splitlines()
    last_stage = lines[max(n for n, line in enumerate(lines) if line.startswith("FROM ")) :]

    users = [line.removeprefix("USER ") for line in last_stage if line.startswith("USER ")]
    assert users
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    assert 'ENTRYPOINT ["gitopsd"]' in last_stage
    assert 'CMD ["run", "-c", "/etc/gitopsd"]' in last_stage


def test_the_image_has_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    [everything] = extras.pop("all")
    assert everything == f"gitopsd[{','.join(sorted(extras.keys() - {'test'}))}]"
    assert "pip install --no-cache-dir --compile '.[all]'" in (ROOT / "Containerfile").read_text()
