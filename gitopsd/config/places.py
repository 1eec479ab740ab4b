"""Which folders and files gitopsd uses on this machine, from settings and environment.

The environment is an argument: only the command line and the daemon read it. Nothing is made or touched here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gitopsd.config import files
from gitopsd.config.settings import Settings
from gitopsd.plugin import UsageError

Environment = Mapping[str, str]


def config(environment: Environment, here: Path) -> Sequence[Path]:
    """The `-c` paths when none was given: $GITOPSD_CONFIG (several with ':'), ./gitopsd.yaml, /etc/gitopsd.

    Raises `UsageError` when there is none of them.
    """
    if named := environment.get("GITOPSD_CONFIG"):
        return [Path(part) for part in named.split(":") if part]
    for path in (here / "gitopsd.yaml", Path("/etc/gitopsd")):
        if path.exists():
            return [path]
    raise UsageError("no configuration: name one with -c FILE-OR-FOLDER, or write ./gitopsd.yaml")


def state(settings: Settings, environment: Environment, *, root: bool) -> Path:
    """The folder of the store and the keys."""
    if settings.state_dir:
        return Path(settings.state_dir)
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    if root:
        return Path("/var/lib/gitopsd")
    base = environment.get("XDG_STATE_HOME")
    return (Path(base) if base else _home(environment) / ".local" / "state") / "gitopsd"


def socket(settings: Settings, environment: Environment, *, root: bool) -> Path:
    """The control socket."""
    if settings.socket:
        return Path(settings.socket)
    if given := environment.get("RUNTIME_DIRECTORY"):
        return Path(given.split(":")[0]) / "gitopsd.sock"
    if root:
        return Path("/run/gitopsd/gitopsd.sock")
    base = environment.get("XDG_RUNTIME_DIR")
    return (Path(base) / "gitopsd" if base else state(settings, environment, root=root)) / "gitopsd.sock"


def secrets(settings: Settings, paths: Sequence[Path]) -> Path | None:
    """The secrets folder: the setting, meant from the first `-c` folder, else `secrets.d` in it; None without any `-c`.

    Raises `UsageError` for a folder whose files would be read as declared documents too.
    """
    if not paths:
        return Path(settings.secrets_dir) if settings.secrets_dir else None
    first = paths[0] if paths[0].is_dir() else paths[0].parent
    folder = first / (settings.secrets_dir or files.SECRETS)
    for path in paths:
        if path.is_dir() and _read_with(path, folder):
            raise UsageError(
                f"secretsDir {folder} lies among the declared files; call it {files.SECRETS} or move it out"
            )
    return folder


def credentials(environment: Environment) -> Path | None:
    """systemd's credentials folder; None when it gave none."""
    given = environment.get("CREDENTIALS_DIRECTORY")
    return Path(given) if given else None


def _home(environment: Environment) -> Path:
    home = environment.get("HOME")
    if not home:
        raise UsageError("neither HOME nor XDG_STATE_HOME is set; name a folder with the setting stateDir")
    return Path(home)


def _read_with(path: Path, folder: Path) -> bool:
    """True where reading a `-c` folder would come into the other one."""
    above, below = path.resolve(), folder.resolve()
    return below.is_relative_to(above) and files.SECRETS not in below.relative_to(above).parts
