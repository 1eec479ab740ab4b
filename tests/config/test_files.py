from __future__ import annotations

import os

import pytest

from gitopsd.config import documents, files
from gitopsd.config.files import Unreadable


def names(path):
    return [str(found.relative_to(path)) for found in files.find(path)]


def test_a_folder_means_its_yaml_files_in_the_order_of_their_paths(tmp_path):
    for name in ("b.yaml", "a/z.yml", "a/a.yaml", "c.json", "d.yaml~", ".e.yaml", ".f/g.yaml", "secrets.d/h.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert names(tmp_path) == ["a/a.yaml", "a/z.yml", "b.yaml"]


def test_a_mounted_config_map_is_read_once_through_its_links(tmp_path):
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026/app.yaml").write_text("x: 1\n")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "app.yaml").symlink_to("..data/app.yaml")
    assert names(tmp_path) == ["app.yaml"]
    assert files.read(tmp_path / "app.yaml").content == b"x: 1\n"


def test_a_linked_folder_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.yaml").touch()
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/link").symlink_to("../real")
    assert names(tmp_path / "conf") == ["link/a.yaml"]


def test_a_link_into_its_own_folder_is_refused(tmp_path):
    (tmp_path / "loop").symlink_to(".")
    with pytest.raises(Unreadable, match="is a link to a folder that it lies in; remove the link"):
        files.find(tmp_path)


def test_a_named_file_is_read_whatever_its_name(tmp_path):
    (tmp_path / "conf").write_text("x: 1\n")
    assert files.find(tmp_path / "conf") == [tmp_path / "conf"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "cannot be read: no such file or directory; name an existing file or folder"),
        ("pipe", "is neither a file nor a folder"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path, name, message):
    os.mkfifo(tmp_path / "pipe")
    [problem] = documents.gather([tmp_path / name]).problems
    assert str(problem) == f"{tmp_path / name}: {message}"


def test_a_link_to_nothing_is_told_by_its_name(tmp_path):
    (tmp_path / "a.yaml").symlink_to("gone")
    [problem] = documents.gather([tmp_path]).problems
    assert str(problem).startswith(f"{tmp_path}/a.yaml: cannot be read: no such file or directory")


def test_files_that_are_too_large_or_too_many_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_FILE", 8)
    (tmp_path / "a.yaml").write_text("a" * 9)
    with pytest.raises(Unreadable, match="is larger than"):
        files.read(tmp_path / "a.yaml")
    monkeypatch.setattr(files, "MAX_FILES", 0)
    with pytest.raises(Unreadable, match="holds more than 0 files"):
        files.find(tmp_path)


def test_all_files_together_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_TOTAL", 10)
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text("# 3456")
    problems = documents.gather([tmp_path]).problems
    assert [problem.place.file for problem in problems] == [f"{tmp_path}/b.yaml", f"{tmp_path}/c.yaml"]


def test_folders_have_a_limit_of_depth(tmp_path):
    deep = tmp_path.joinpath(*["d"] * files.MAX_DEPTH)
    deep.mkdir(parents=True)
    with pytest.raises(Unreadable, match="deeper than"):
        files.find(tmp_path)


def test_utf_16_is_read_and_its_problems_have_the_line_of_the_document(tmp_path):
    (tmp_path / "a.yaml").write_bytes("# x\n---\nkind: X\n".encode("utf-16"))
    [problem] = documents.gather([tmp_path]).problems
    assert str(problem) == f"{tmp_path}/a.yaml:3: X: $.apiVersion: is missing or not a text"
