from __future__ import annotations

import itertools
import os
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.config import watch
from gitopsd.config.watch import Settling


def look(text):
    return ((text,),)


def told(*looks):
    """The looks at which loading was due, each as its text."""
    state, found = Settling(loaded=look("a"), last=look("a")), []
    for text in looks:
        state, ready = state.then(look(text))
        if ready:
            found.append(text)
    return found


def test_a_change_is_told_once_after_a_second_look_that_saw_the_same():
    assert told("a", "b", "b", "b") == ["b"]


def test_files_that_keep_changing_are_waited_for():
    assert told("b", "c", "d", "d") == ["d"]


def test_a_change_that_is_undone_is_not_told():
    assert told("b", "a", "a") == []


def test_going_back_after_it_was_told_is_a_change_again():
    assert told("b", "b", "a", "a") == ["b", "a"]


@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_the_same_state_is_never_told_twice_in_a_row(looks):
    found = ["a", *told(*looks)]
    assert all(one != other for one, other in itertools.pairwise(found))


def test_a_write_a_new_file_and_a_removal_change_the_fingerprint(tmp_path):
    seen = [watch.fingerprint([tmp_path])]
    for step in (lambda: (tmp_path / "a.yaml").write_text("1"), (tmp_path / "a.yaml").unlink):
        step()
        seen.append(watch.fingerprint([tmp_path]))
    assert seen[0] == seen[2] != seen[1]


def test_a_file_replaced_by_one_of_the_same_size_and_time_changes_the_fingerprint(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("1")
    before, status = watch.fingerprint([tmp_path]), file.stat()
    (tmp_path / "new").write_text("2")
    os.utime(tmp_path / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
    (tmp_path / "new").replace(file)
    assert watch.fingerprint([tmp_path]) != before


def test_the_swap_of_a_mounts_link_changes_the_fingerprint(tmp_path):
    for name in ("..1", "..2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text("x: 1")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    before = watch.fingerprint([tmp_path])
    (tmp_path / "..tmp").symlink_to("..2")
    (tmp_path / "..tmp").replace(tmp_path / "..data")
    assert watch.fingerprint([tmp_path]) != before


def test_what_vanishes_counts_as_a_change_and_raises_nothing(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("1")
    before = watch.fingerprint([file])
    file.unlink()
    assert watch.fingerprint([file]) != before
    (tmp_path / "dead.yaml").symlink_to("gone")
    assert watch.fingerprint([tmp_path]) == ((f"{tmp_path}/dead.yaml", "FileNotFoundError"),)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_changed_file_is_told_when_it_has_settled(tmp_path):
    loaded = watch.fingerprint([tmp_path])
    (tmp_path / "a.yaml").write_text("1")
    async with aclosing(watch.settled([tmp_path], loaded)) as changes:
        found = await anext(changes)
    assert found == watch.fingerprint([tmp_path])


def test_a_secret_that_is_written_anew_changes_the_fingerprint(tmp_path):
    config, secrets = tmp_path / "config.yaml", tmp_path / "secrets.d"
    config.write_text("")
    (secrets / "apps" / "login").mkdir(parents=True)
    key = secrets / "apps" / "login" / "password"
    seen = [watch.fingerprint([config], secrets)]
    for content in ("one", "two and more"):
        key.write_text(content)
        seen.append(watch.fingerprint([config], secrets))
    assert len(set(seen)) == 3
    assert watch.fingerprint([config], tmp_path / "none") == watch.fingerprint([config])
