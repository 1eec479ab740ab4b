"""The state folder: modes, what is set aside, and messages for what is wrong with the disk."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitopsd.model.errors import Transient, UsageError
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import LedgerRow
from gitopsd.model.tree import Changes
from gitopsd.plugin.tree import Content
from gitopsd.store import Store
from gitopsd.store.failures import translated

APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="app")
ROW = LedgerRow(
    at=datetime(2026, 1, 1, tzinfo=UTC), ref=APP, cluster="", revision="", plan="", counts={}, actor="", reason=""
)


def test_everything_is_for_its_owner_only(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    with Store.open(folder) as store:
        store.add([Content(data=os.urandom(300_000))])
        store.append([ROW])

        for path in (folder, *folder.rglob("*")):
            assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_the_cache_gives_free_pages_back(folder: Path) -> None:
    Store.open(folder).close()
    connection = sqlite3.connect(folder / "cache" / "cache.db")

    assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_the_key_is_made_once(folder: Path) -> None:
    with Store.open(folder) as store, Store.open(folder) as other:
        assert len(store.key()) == 32
        assert other.key() == store.key()


def test_many_processes_open_a_new_folder_at_once(folder: Path) -> None:
    program = "import sys; from pathlib import Path; from gitopsd.store import Store\n"
    program += "with Store.open(Path(sys.argv[1])) as s: print(s.key().hex())"
    command = [sys.executable, "-c", program, str(folder)]

    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    keys = {process.communicate()[0] for process in started}

    assert [process.returncode for process in started] == [0] * 4
    assert len(keys) == 1


def test_a_key_of_another_length_is_named(folder: Path) -> None:
    Store.open(folder).close()
    (folder / "secret.key").write_bytes(b"short")

    with pytest.raises(UsageError, match=r"secret\.key is not a key of 32 bytes; remove it"):
        Store.open(folder)


def test_what_a_newer_version_wrote_is_set_aside(folder: Path) -> None:
    with Store.open(folder) as store:
        store.keep_statuses({APP: {}})
    numbered(folder / "cache" / "cache.db", 99)

    with Store.open(folder) as store:
        assert store.status(APP) is None
        assert [str(folder / "cache.newer-99") in warning for warning in store.warnings] == [True]
    numbered(folder / "cache" / "cache.db", 99)
    Store.open(folder).close()
    assert sorted(path.name for path in folder.glob("cache.*")) == ["cache.newer-99", "cache.newer-99-2"]


def test_what_an_older_version_wrote_is_set_aside(folder: Path) -> None:
    with Store.open(folder) as store:
        store.keep_statuses({APP: {}})
    numbered(folder / "cache" / "cache.db", 1)

    with Store.open(folder) as store:
        assert store.status(APP) is None
        assert [str(folder / "cache.older-1") in warning for warning in store.warnings] == [True]


def test_a_newer_ledger_is_never_set_aside(folder: Path) -> None:
    Store.open(folder).close()
    numbered(folder / "ledger.db", 99)

    with pytest.raises(UsageError, match=r"ledger\.db was written by a newer gitopsd"):
        Store.open(folder)


def test_a_damaged_ledger_is_never_set_aside(folder: Path) -> None:
    Store.open(folder).close()
    (folder / "ledger.db").write_bytes(b"garbage" * 1000)

    with pytest.raises(UsageError, match=r"ledger\.db is damaged .*restore it from a backup"):
        Store.open(folder)
    assert (folder / "ledger.db").read_bytes().startswith(b"garbage")


def test_a_cache_that_is_no_database_is_set_aside(folder: Path) -> None:
    with Store.open(folder) as store:
        store.append([ROW])
    (folder / "cache" / "cache.db").write_bytes(b"garbage" * 1000)

    with Store.open(folder) as store:
        assert [str(folder / "cache.damaged") in warning for warning in store.warnings] == [True]
        assert store.ledger(1) == (ROW,)


def test_a_cache_found_damaged_in_use_is_set_aside_at_the_next_start(folder: Path) -> None:
    with Store.open(folder) as store:
        store.put(Changes(entries={f"d{n}/f": f for n, f in enumerate(store.add(content()))}))
    overwrite(folder / "cache" / "cache.db", start=8192)

    with Store.open(folder) as store, pytest.raises(Transient, match=r"cache\.db is damaged"):
        store.known(["key-1"])
    with Store.open(folder) as store:
        assert store.statuses() == {}
        assert len(store.warnings) == 1


def test_a_record_that_does_not_decode_is_damage(folder: Path) -> None:
    with Store.open(folder) as store:
        store.keep_statuses({APP: {}})
        with store._cache.write() as connection:
            connection.execute("UPDATE status SET body = ?", (b"{",))
        with pytest.raises(Transient, match=r"cache\.db is damaged .*restart gitopsd"):
            store.status(APP)
    with Store.open(folder) as store:
        assert len(store.warnings) == 1


def test_a_lost_cache_leaves_the_ledger(folder: Path) -> None:
    with Store.open(folder) as store:
        store.append([ROW])
    shutil.rmtree(folder / "cache")

    with Store.open(folder) as store:
        assert store.ledger(1) == (ROW,)
        assert store.warnings == ()


def test_a_file_in_the_folders_place_is_named(folder: Path) -> None:
    folder.write_text("")

    with pytest.raises(Transient, match="state"):
        Store.open(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser writes into other users' folders")
def test_what_the_superuser_makes_in_a_users_folder_is_the_users(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    os.chown(folder, 12345, 12346)
    (tmp_path / "elsewhere").touch()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "named").symlink_to(folder)
    with Store.open(tmp_path / "named") as store:
        store.append([ROW])

    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in folder.rglob("*")} == {(12345, 12346)}
    assert (tmp_path / "elsewhere").stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to act as another user")
def test_a_cache_that_is_somebody_elses_is_named() -> None:
    with tempfile.TemporaryDirectory() as above:
        folder = Path(above) / "state"
        Store.open(folder).close()
        os.chmod(above, 0o755)
        for path in (folder, *folder.iterdir()):
            os.chown(path, *((0, 0) if path.name == "cache" else (12345, 12346)))
        os.seteuid(12345)
        try:
            with pytest.raises(UsageError, match="cache: Permission denied; check the owner and mode of"):
                Store.open(folder)
        finally:
            os.seteuid(0)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (28, Transient, "the disk is full; free some space"),
        (122, Transient, "the disk is full; free some space"),
        (13, UsageError, "check the owner and mode"),
        (30, UsageError, "check the owner and mode"),
        (5, Transient, "check the disk"),
    ],
    ids=["ENOSPC", "EDQUOT", "EACCES", "EROFS", "EIO"],
)
def test_failures_of_the_disk_name_path_and_remedy(code: int, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=f"/state/x.*{words}"), translated(Path("/state")):
        raise OSError(code, os.strerror(code), "/state/x")


def test_a_full_database_says_so_and_loses_nothing(folder: Path) -> None:
    with Store.open(folder) as store:
        store.keep_statuses({APP: {"a": 1}})
        with store._cache.read() as connection:
            connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(Transient, match="the disk is full; free some space"):
            store.add(content())
        assert store.status(APP) == {"a": 1}


def content() -> list[Content]:
    return [Content(data=b"%d" % number * 1000, key=f"key-{number}") for number in range(200)]


def numbered(path: Path, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def overwrite(path: Path, start: int) -> None:
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(start)
        file.write(b"\xff" * (size - start))
