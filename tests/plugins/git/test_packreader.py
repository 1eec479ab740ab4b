"""Objects are read out of packs by their names; whatever is damaged, or was never honest, ends in this plugin's own errors."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.objects import Blob
from dulwich.pack import write_pack_from_container, write_pack_index_v2
from dulwich.repo import Repo
from hypothesis import given, settings
from hypothesis import strategies as st

from gitopsd_plugins.git.packs import packed, packs
from gitopsd_plugins.git.packs.objects import Damaged, GitObjects
from gitopsd_plugins.git.packs.packed import MalformedPack
from gitopsd_plugins.git.packs.packreader import PackReader

TEXTS = [b"".join(b"line %d of some\n" % (n * n) for n in range(60)) + b"own %d\n" % number for number in range(40)]


def bare(path: Path) -> Path:
    path.mkdir()
    Repo.init_bare(str(path)).close()
    return path


def nothing(_name: bytes) -> tuple[int, bytes]:
    raise KeyError


def honest(folder: Path) -> bytes:
    """A pack with whole objects and differences."""
    with Repo(str(bare(folder / "origin.git"))) as repo:
        blobs = [Blob.from_string(text) for text in TEXTS]
        repo.object_store.add_objects([(blob, None) for blob in blobs])
        file = folder / "made.pack"
        with file.open("wb") as opened:
            write_pack_from_container(
                opened.write,
                repo.object_store,
                [(blob.id, (3, None)) for blob in blobs],
                DEFAULT_OBJECT_FORMAT,
                deltify=True,
            )
        made = file.read_bytes()
    assert len(made) < sum(len(zlib.compress(text)) for text in TEXTS) / 2  # most are differences
    return made


def kept(repository: Path, pack: bytes) -> packs.Kept:
    file = repository / "objects/pack/tmp_pack_x"
    file.write_bytes(pack)
    return packs.keep(file, nothing)


@pytest.fixture
def pack(tmp_path):
    return honest(tmp_path)


def test_every_object_is_found_by_its_name(tmp_path, pack):
    reader = PackReader(kept(bare(tmp_path / "repo.git"), pack).stem)

    found = {text: reader.read(reader.offset(packed.name(3, text))) for text in TEXTS}

    assert found == {text: (3, text) for text in TEXTS}
    assert reader.offset(b"\0" * 20) is None
    assert reader.offset(b"\xff" * 20) is None


def test_what_was_unpacked_is_at_hand_once_and_read_again_afterwards(tmp_path, pack):
    path = bare(tmp_path / "repo.git")
    with Repo(str(path)) as repo:
        objects = GitObjects(repo)
        new = kept(path, pack)
        names = [name.hex() for name in new.at_hand]
        objects.take(new)

        first = [objects.blob(name) for name in names]

        assert sorted(first) == sorted(TEXTS)
        assert not new.at_hand
        assert [objects.blob(name) for name in names] == first


def test_each_of_many_names_that_begin_alike_is_found(tmp_path):
    names = sorted(
        [b"\7" * 20, b"\7" * 19 + b"\0", *(b"\7\7" + hashlib.sha1(b"%d" % n).digest()[:18] for n in range(3000))]
    )
    entries = [(name, 12 + 100 * number, 0) for number, name in enumerate(names)]
    stem = tmp_path / "pack-many"
    stem.with_suffix(".pack").write_bytes(b"PACK" + b"\0" * 40)
    with stem.with_suffix(".idx").open("wb") as index:
        write_pack_index_v2(index, entries, b"\0" * 20)
    reader = PackReader(stem)

    assert [reader.offset(name) for name in names] == [offset for _, offset, _ in entries]
    assert {reader.offset(name[:-1] + b"x") for name in names if name[:-1] + b"x" not in names} == {None}


@pytest.mark.parametrize("ending", [".idx", ".pack"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_file_that_ends_early_is_damage(tmp_path, pack, ending, keep):
    path = bare(tmp_path / "repo.git")
    stem = kept(path, pack).stem
    whole = stem.with_suffix(ending).read_bytes()
    stem.with_suffix(ending).unlink()
    stem.with_suffix(ending).write_bytes(whole[: int(len(whole) * keep)])

    def read_all() -> None:
        with Repo(str(path)) as repo:
            objects = GitObjects(repo)
            for text in TEXTS:
                objects.blob(packed.name(3, text).hex())

    with pytest.raises(Damaged):
        read_all()


def test_differences_in_a_circle_end(tmp_path):
    """As no pack that was kept holds them: written with its index beside what is checked there."""
    names = [b"1" * 20, b"2" * 20]
    step = zlib.compress(b"\x05\x05\x05aaaaa")
    body = b"PACK\0\0\0\2\0\0\0\2" + b"".join(b"\x78" + base + step for base in reversed(names))
    stem = tmp_path / "pack-circle"
    stem.with_suffix(".pack").write_bytes(body + hashlib.sha1(body).digest())
    length = (len(body) - 12) // 2
    with stem.with_suffix(".idx").open("wb") as index:
        write_pack_index_v2(index, [(names[0], 12, 0), (names[1], 12 + length, 0)], b"\0" * 20)

    reader = PackReader(stem)

    with pytest.raises(MalformedPack, match="without an end"):
        reader.read(12)


MUTATIONS = st.lists(
    st.tuples(st.sampled_from(["set", "cut", "add"]), st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8)),
    max_size=6,
)


def test_mutated_packs_are_read_or_refused_in_words(tmp_path, pack):
    @settings(max_examples=60, deadline=None)
    @given(mutations=MUTATIONS)
    def check(mutations):
        data = bytearray(pack[:-20])
        for sort, place, text in mutations:
            at = place % len(data)
            data[at : at + (0 if sort == "add" else len(text))] = b"" if sort == "cut" else text
        with TemporaryDirectory(dir=tmp_path) as folder:
            file = Path(folder) / "tmp_pack_x"
            file.write_bytes(bytes(data) + hashlib.sha1(data).digest())
            try:
                new = packs.keep(file, nothing)
            except MalformedPack:
                return
            reader = PackReader(new.stem)
            for name, known in new.at_hand.items():
                offset = reader.offset(name)
                assert offset is not None
                assert reader.read(offset) == known

    check()
