"""Packs that no honest server sends: each is refused in its own words, and nothing is unpacked beyond what it says."""

from __future__ import annotations

import os

import pytest
from dulwich.repo import Repo
from fakes.git_packs import BLOB, OFS, REF, delta, head, insert, name, pack, thing
from fakes.git_server import http_server

from gitopsd.plugin import Rejected
from gitopsd_plugins.git.packs import packed, packs
from gitopsd_plugins.git.packs.packed import MalformedPack


def nothing(_name: bytes) -> tuple[int, bytes]:
    raise KeyError


@pytest.fixture
def keep(tmp_path):
    """Keeps a pack in a repository; answers with what can be read there."""

    def kept(data, lookup=nothing):
        path = tmp_path / "repo.git"
        if not path.exists():
            path.mkdir()
            Repo.init_bare(str(path)).close()
        file = path / "objects/pack/tmp_pack_x"
        file.write_bytes(data)
        packs.keep(file, lookup)
        with Repo(str(path)) as repo:
            return {oid: repo.object_store.get_raw(oid)[1] for oid in repo.object_store}

    return kept


def test_whole_objects_and_differences_of_both_kinds_are_read(keep):
    base, other = b"hello world\n" * 100, b"another"
    first = thing(BLOB, base)
    by_name = thing(REF, delta(len(base), 3, insert(b"abc")), base=name(base))
    by_offset = thing(OFS, delta(len(base), 2, insert(b"xy")), base=bytes([len(first)]))

    found = keep(pack(first, by_offset, thing(BLOB, other), by_name))

    assert set(found.values()) == {base, other, b"abc", b"xy"}


def test_difference_may_stand_before_its_base_and_on_another_one(keep):
    base = b"base" * 10
    middle = delta(len(base), 3, insert(b"mid"))
    last = delta(3, 4, insert(b"last"))

    found = keep(pack(thing(REF, last, base=name(b"mid")), thing(REF, middle, base=name(base)), thing(BLOB, base)))

    assert set(found.values()) == {base, b"mid", b"last"}


def test_base_that_is_there_already_joins_the_pack(keep):
    base = b"base" * 10
    wanted = thing(REF, delta(len(base), 3, insert(b"new")), base=name(base))

    found = keep(pack(wanted), {name(base): (BLOB, base)}.__getitem__)

    assert set(found.values()) == {base, b"new"}


def _circle():
    one, other = b"1" * 20, b"2" * 20
    steps = delta(5, 5, insert(b"aaaaa"))
    return pack(thing(REF, steps, base=one), thing(REF, steps, base=other))


BIG = packed.MAX_OBJECT + 1
WHOLE = thing(BLOB, b"x" * 100)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ends early"),
        (pack(WHOLE)[:-30], "ends early"),
        (pack(WHOLE)[:-1] + b"\0", "checksum is wrong"),
        (pack(WHOLE).replace(b"PACK", b"PUCK"), "checksum is wrong"),
        (pack(WHOLE, count=2), "ends early"),
        (pack(WHOLE, WHOLE, count=1), "more in it than it says"),
        (pack(WHOLE, count=1 << 31), "ends early"),
        (pack(thing(BLOB, b"x" * 100, says=99)), "larger than it says"),
        (pack(thing(BLOB, b"x" * 100, says=101)), "ends early"),
        (pack(thing(BLOB, b"x" * (1 << 20), says=10)), "larger than it says"),
        (pack(thing(BLOB, b"", says=BIG)), "more than 256 MiB"),
        (pack(thing(5, b"x")), "unknown kind 5"),
        (pack(head(BLOB, 5) + b"no zlib at all"), "cannot be unpacked"),
        (pack(bytes([0xB0] + [0xFF] * 20)), "size is no size"),
        (pack(thing(OFS, delta(1, 1), base=bytes([100]))), "lies outside of the pack"),
        (pack(head(OFS, 3) + b"\xff" * 20), "lies outside of the pack"),
        (pack(thing(REF, delta(5, 5, insert(b"aaaaa")), base=b"1" * 20)), "nowhere, or from one another in a circle"),
        (_circle(), "nowhere, or from one another in a circle"),
        (pack(WHOLE, thing(REF, delta(7, 3, insert(b"abc")), base=name(b"x" * 100))), "of another size"),
        (pack(WHOLE, thing(REF, delta(100, 4, insert(b"abc")), base=name(b"x" * 100))), "another size than it says"),
        (pack(WHOLE, thing(REF, delta(100, 2, insert(b"abc")), base=name(b"x" * 100))), "another size than it says"),
        (pack(WHOLE, thing(REF, delta(100, 9, b"\x05abc"), base=name(b"x" * 100))), "another size than it says"),
        (pack(WHOLE, thing(REF, delta(100, 200, b"\x90\xc8"), base=name(b"x" * 100))), "does not hold"),
        (pack(WHOLE, thing(REF, delta(100, BIG, insert(b"abc")), base=name(b"x" * 100))), "more than 256 MiB"),
        (pack(WHOLE, thing(REF, b"\xff" * 30, base=name(b"x" * 100))), "ends early"),
    ],
)
def test_malformed_pack_is_refused_in_its_own_words(keep, data, words):
    with pytest.raises(MalformedPack, match=words):
        keep(data)


def test_bomb_of_differences_is_stopped_by_what_it_says(keep):
    """Each makes a thousand times the one before; the third would be a hundred gigabytes."""
    base = b"x" * (1 << 17)
    copy = bytes([0x80 | 0x10 | 0x20, 0xFF, 0xFF])
    first = delta(len(base), 65535 * 1000, *([copy] * 1000))
    middle = b"x" * 65535 * 1000

    with pytest.raises(MalformedPack, match="more than 256 MiB"):
        keep(
            pack(
                thing(BLOB, base),
                thing(REF, first, base=name(base)),
                thing(REF, delta(65535 * 1000, 65535 * 1000000, *([copy] * 1000)), base=name(middle)),
            )
        )


def test_difference_that_makes_more_than_it_says_is_not_followed(keep):
    """A megabyte of copies of all of its base, which would be gigabytes."""
    base = b"x" * 65536
    endless = delta(len(base), 10, bytes([0x80]) * (1 << 20))

    with pytest.raises(MalformedPack, match="another size than it says"):
        keep(pack(thing(BLOB, base), thing(REF, endless, base=name(base))))


def test_refused_pack_leaves_nothing_behind(keep, tmp_path):
    with pytest.raises(MalformedPack):
        keep(pack(WHOLE)[:-1] + b"\0")

    assert os.listdir(tmp_path / "repo.git/objects/pack") == ["tmp_pack_x"]


@pytest.mark.asyncio
async def test_server_that_sends_a_broken_pack_is_named(world, repo, read):
    commit = repo.commit({"a": "1"})
    band = b"\x01" + pack(WHOLE)[:-1] + b"\0"
    body = b"000dpackfile\n" + b"%04x" % (len(band) + 4) + band + b"0000"
    with http_server(repo.path) as server:
        server.behaviour.packed = body

        with pytest.raises(Rejected, match="a pack whose checksum is wrong") as caught:
            await world.sync(read({"url": server.url, "ref": {"branch": "main"}}))

    assert server.url in str(caught.value)
    assert commit not in str(caught.value)
    assert not list(world.ctx.cache("git").glob("*.git/objects/pack/*"))
