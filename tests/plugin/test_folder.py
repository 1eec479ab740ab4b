"""A folder on disk as a tree: lazily, within limits, and never outside of it."""

import os

import pytest

from gitopsd.plugin import Link, PathError, Transient, Tree
from gitopsd.plugin.folder import LocalFolder


def tree(path, **options):
    source = LocalFolder(path, **options)
    return Tree(source, source.root)


def test_files_and_folders_are_read(tmp_path):
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "ü.txt").write_bytes(b"content")
    assert tree(tmp_path).read("a b/ü.txt") == b"content"
    assert list(tree(tmp_path).list("a b")) == ["ü.txt"]
    assert tree(tmp_path).find("nothing") is None


def test_links_are_resolved_inside_and_refused_outside(tmp_path):
    (tmp_path / "root" / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (tmp_path / "root" / "file").write_text("y")
    os.symlink("../file", tmp_path / "root" / "sub" / "inside")
    os.symlink(tmp_path / "root" / "file", tmp_path / "root" / "sub" / "absolute")
    os.symlink("../../secret", tmp_path / "root" / "sub" / "outside")
    os.symlink("/etc/passwd", tmp_path / "root" / "sub" / "passwd")
    found = tree(tmp_path / "root")
    assert found.read("sub/inside") == found.read("sub/absolute") == b"y"
    assert isinstance(found.list("sub")["inside"], Link)
    for name in ("sub/outside", "sub/passwd", "../secret"):
        with pytest.raises(PathError, match="leaves the tree"):
            found.read(name)


def test_a_file_that_became_a_link_is_not_followed(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "root" / "file").write_text("y")
    found = tree(tmp_path / "root")
    assert found.find("file")
    (tmp_path / "root" / "file").unlink()
    os.symlink("../secret", tmp_path / "root" / "file")
    with pytest.raises(Transient, match="cannot be read"):
        found.read("file")


def test_only_files_folders_and_links_exist(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert tree(tmp_path).list("") == {}


def test_large_files_are_refused(tmp_path):
    (tmp_path / "large").write_bytes(b"12345")
    with pytest.raises(Transient, match="larger than 4 bytes"):
        tree(tmp_path, max_file=4).read("large")


def test_a_changed_file_is_seen_and_an_equal_one_is_not(tmp_path):
    (tmp_path / "file").write_text("one")
    before = tree(tmp_path, digests=True)
    before.read("file")
    os.utime(tmp_path / "file", ns=(1, 1))
    assert tree(tmp_path, digests=True).unchanged(before.reads)
    (tmp_path / "file").write_text("two")
    assert not tree(tmp_path, digests=True).unchanged(before.reads)
