"""Archives as trees: every form of tar and compression, and a corpus of archives that no honest tool makes."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
import zlib
from random import Random
from types import SimpleNamespace

import pytest
from fakes.workers import working
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.model.tree import File, Folder, Link
from gitopsd.plugin.sources import archive, expand, tar
from gitopsd.plugin.sources.archive import ArchiveError, Limits, Unpacking
from gitopsd.plugin.sources.tar import Member, Sort
from gitopsd.store.store import Store

FILES = {"a.yaml": b"a: 1\n", "deploy/b.yaml": b"b: 2\n", "deploy/deep/c": b"\0" * 1000, "empty": b""}


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "state") as opened:
        yield opened


@contextlib.contextmanager
def packing(form=tarfile.PAX_FORMAT):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as opened:
        yield opened, buffer


def entry(name, data=b"", **fields):
    """An entry for Python's own writer."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, io.BytesIO(data)


def packed(*entries, form=tarfile.PAX_FORMAT):
    with packing(form) as (opened, buffer):
        for info, data in entries:
            opened.addfile(info, data)
    return buffer.getvalue()


def plain(files=FILES, **options):
    return packed(*(entry(name, data) for name, data in files.items()), **options)


def zstd(data):
    return pytest.importorskip("backports.zstd").compress(data)


def put(store, data, **how):
    return archive.put(io.BytesIO(data), store, Unpacking(**how))


def contents(store, digest, prefix=""):
    """Path -> bytes of a file, or the target of a link as text."""
    found = {}
    for name, at in store.node(digest).items():
        match at:
            case Folder():
                found |= contents(store, at.digest, f"{prefix}{name}/")
            case File():
                found[prefix + name] = store.blob(at.digest)
            case Link():
                found[prefix + name] = at.target
    return found


@pytest.mark.parametrize(
    "form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["ustar", "gnu", "pax"]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
def test_tree_holds_the_files_of_the_archive_byte_by_byte(store, form, pack):
    found = put(store, pack(plain(form=form)))

    assert contents(store, found.stored.tree) == FILES
    assert (found.stored.files, found.stored.size) == (4, 1010)


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=60).filter(
    lambda name: name not in {".", ".."}
)
PATHS = st.lists(NAMES, min_size=1, max_size=6).map("/".join)


@given(path=PATHS, data=st.binary(max_size=2000), form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_any_name_and_content_is_read_as_it_was_written(path, data, form):
    reader = tar.Reader(io.BytesIO(plain({path: data}, form=form)))

    assert [(member.name.decode(), reader.data()) for member in reader.members()] == [(path, data)]


@given(files=st.dictionaries(PATHS, st.binary(max_size=2000), max_size=5))
def test_python_reads_what_is_written_here(files):
    members = [(Member(name=path.encode(), sort=Sort.FILE, size=len(data)), data) for path, data in files.items()]

    with tarfile.open(fileobj=io.BytesIO(b"".join(tar.written(members)))) as opened:
        assert {info.name: opened.extractfile(info).read() for info in opened} == files


def test_executable_files_stay_executable(store):
    found = put(store, packed(entry("run.sh", b"x", mode=0o755), entry("plain", b"x", mode=0o644)))

    node = store.node(found.stored.tree)
    assert (node["run.sh"].executable, node["plain"].executable) == (True, False)


def test_names_may_begin_with_a_dot_and_a_slash(store):
    folder = tarfile.TarInfo("./deploy/")
    folder.type = tarfile.DIRTYPE

    found = put(store, packed((tarfile.TarInfo("./"), None), (folder, None), entry("./deploy/a", b"1")))

    assert contents(store, found.stored.tree) == {"deploy/a": b"1"}


def test_leading_folder_is_taken_off_where_that_is_asked_for(store):
    found = put(store, plain({"chart/Chart.yaml": b"1", "chart/charts/sub/Chart.yaml": b"2"}), strip=True)

    assert contents(store, found.stored.tree) == {"Chart.yaml": b"1", "charts/sub/Chart.yaml": b"2"}


def test_file_beside_the_leading_folder_is_refused(store):
    with pytest.raises(ArchiveError, match=r"^Chart.yaml: lies outside of the archive's leading folder$"):
        put(store, plain({"Chart.yaml": b"1"}), strip=True)


def test_hard_link_has_the_content_of_the_file_that_it_names(store):
    twin = entry("twin", type=tarfile.LNKTYPE, linkname="a")

    found = put(store, packed(entry("a", b"1"), twin, entry("third", type=tarfile.LNKTYPE, linkname="twin")))

    assert contents(store, found.stored.tree) == {"a": b"1", "twin": b"1", "third": b"1"}


def test_symbolic_links_are_left_out_and_named(store):
    link = entry("deploy/link", type=tarfile.SYMTYPE, linkname="../a")

    found = put(store, packed(entry("a", b"1"), link))

    assert (contents(store, found.stored.tree), found.links) == ({"a": b"1"}, ("deploy/link",))


def test_symbolic_links_are_kept_where_that_is_asked_for(store):
    link = entry("deploy/link", type=tarfile.SYMTYPE, linkname="../a")

    found = put(store, packed(entry("a", b"1"), link), links=True)

    assert contents(store, found.stored.tree) == {"a": b"1", "deploy/link": "../a"}


def test_nothing_is_ignored_unless_that_is_asked_for(store):
    files = {"a.png": b"1", ".sourceignore": b"a.png\n"}

    assert contents(store, put(store, plain(files)).stored.tree) == files


def test_default_rules_ignore_what_flux_ignores(store):
    found = put(store, plain({"a.png": b"1", ".git/config": b"2", "a.yaml": b"3"}), ignoring=True)

    assert contents(store, found.stored.tree) == {"a.yaml": b"3"}


def test_ignore_files_of_the_archive_apply_below_them_and_the_spec_has_the_last_word(store):
    files = {"sub/.sourceignore": b"*.txt\n", "sub/a.txt": b"1", "a.txt": b"2", "sub/b.txt": b"3"}

    found = put(store, plain(files), ignoring=True, ignore="!b.txt\n")

    assert set(contents(store, found.stored.tree)) == {"sub/.sourceignore", "a.txt", "sub/b.txt"}


def test_second_member_of_a_gzip_stream_is_read_too(store):
    data = plain()

    found = put(store, gzip.compress(data[:700]) + gzip.compress(data[700:]) + bytes(1024))

    assert contents(store, found.stored.tree) == FILES


def test_bytes_that_the_store_has_are_not_added_again(store):
    class Adding:
        added: list = []  # noqa: RUF012 - one test

        def __getattr__(self, name):
            return getattr(store, name)

        def add(self, given):
            given = list(given)
            self.added += [content.data for content in given]
            return store.add(given)

    put(store, plain())
    archive.put(io.BytesIO(plain({**FILES, "new": b"n", "other": b"n"})), Adding())

    assert Adding.added == [b"n"]


HOSTILE = {
    "parent": (packed(entry("../x", b"1")), r"\.\./x: a path that leaves the archive"),
    "parent inside": (packed(entry("a/../../x", b"1")), "a path that leaves the archive"),
    "parent that stays": (packed(entry("a/../x", b"1")), "a path that leaves the archive"),
    "absolute": (packed(entry("/etc/passwd", b"1")), "/etc/passwd: an absolute path"),
    "folder outside": (packed(entry("../d", type=tarfile.DIRTYPE)), "a path that leaves the archive"),
    "nul": (packed(entry("a", b"1", pax_headers={"path": "a\0b"})), "a name with a NUL character"),
    "not utf-8": (packed(entry("a\udcff", b"1"), form=tarfile.GNU_FORMAT), "a name that is not UTF-8"),
    "long name": (packed(entry("x" * 256, b"1")), "a name that is too long"),
    "long path": (packed(entry("/".join(["x" * 200] * 25), b"1")), "a name that is too long"),
    "deep": (packed(entry("/".join("d" * 101), b"1")), "deeper than 100 folders"),
    "no name": (packed(entry(".", b"1")), "is no name of a file"),
    "link to absolute": (
        packed(entry("l", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        "l: a symbolic link that leads out of the archive, to /etc/passwd",
    ),
    "link outside": (
        packed(entry("a/l", type=tarfile.SYMTYPE, linkname="../../x")),
        "a/l: a symbolic link that leads out of the archive",
    ),
    "link without target": (packed(entry("l", type=tarfile.SYMTYPE)), "a symbolic link whose target is no path"),
    "file through a link": (
        packed(entry("l", type=tarfile.SYMTYPE, linkname="a"), entry("l/x", b"1")),
        "l/x: l stands in the archive as a file already",
    ),
    "hard link outside": (
        packed(entry("h", type=tarfile.LNKTYPE, linkname="../../etc/passwd")),
        "h: a hard link to ../../etc/passwd: a path that leaves the archive",
    ),
    "hard link to absolute": (packed(entry("h", type=tarfile.LNKTYPE, linkname="/etc/passwd")), "an absolute path"),
    "hard link to nothing": (
        packed(entry("h", type=tarfile.LNKTYPE, linkname="later"), entry("later", b"1")),
        "h: a hard link to later, which is no file before it",
    ),
    "hard link to itself": (packed(entry("h", type=tarfile.LNKTYPE, linkname="h")), "no file before it"),
    "hard link to a link": (
        packed(entry("l", type=tarfile.SYMTYPE, linkname="x"), entry("h", type=tarfile.LNKTYPE, linkname="l")),
        "no file before it",
    ),
    "character device": (packed(entry("dev", type=tarfile.CHRTYPE)), "dev: is a device; only files and folders"),
    "block device": (packed(entry("dev", type=tarfile.BLKTYPE)), "is a device"),
    "pipe": (packed(entry("fifo", type=tarfile.FIFOTYPE)), "is a named pipe"),
    "sparse": (packed(entry("s", b"1", pax_headers={"GNU.sparse.map": "0,1"})), "is a sparse file"),
    "unknown type": (packed(entry("u", type=b"Z")), "is of a type that is not known"),
    "twice": (packed(entry("a", b"1"), entry("./a", b"2")), "a: stands in the archive twice"),
    "file then folder": (packed(entry("a", b"1"), entry("a/b", b"2")), "a/b: a stands in the archive as a file"),
    "folder then file": (packed(entry("a/b", b"2"), entry("a", b"1")), "a: stands in the archive as a folder"),
    "no tar": (b"kind: ConfigMap\n" * 100, "is no tar archive"),
    "short": (b"x", "ends in the middle of a header"),
    "cut in a file": (packed(entry("a", b"1" * 2000))[:1000], "ends in the middle of a file"),
    "cut gzip": (gzip.compress(plain())[:-12], "ends in the middle; it was cut off"),
    "cut zstd": (lambda: zstd(plain())[:-5], "ends in the middle|damaged"),
    "gzip with a wrong sum": (gzip.compress(plain())[:-8] + bytes(8), "is damaged"),
    "gzip and something": (gzip.compress(plain()) + b"something else", "followed by something else"),
    "damaged header": (b"y" + plain()[1:], "no tar archive, or a header of it is damaged"),
    "damaged extension": (packed(entry("a", pax_headers={"b": "c"})).replace(b" b=c", b"9b=c"), "extension header"),
    "huge extension": (packed(entry("a", pax_headers={"comment": "x" * (2 << 20)})), "extension header of more than 1"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_archive_that_no_honest_tool_makes_is_refused_in_words(store, case):
    data, message = HOSTILE[case]

    with pytest.raises(ArchiveError, match=message) as caught:
        put(store, data() if callable(data) else data)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@given(
    data=st.binary(max_size=1500),
    at=st.integers(0, 3000),
    form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_damage_anywhere_is_read_or_refused_and_nothing_else(data, at, form):
    whole = bytearray(packed(entry("a" * 120, b"1"), entry("b", b"2", mtime=0.5), form=form))
    whole[at : at + len(data)] = data

    reader = tar.Reader(io.BytesIO(bytes(whole)))
    with contextlib.suppress(ArchiveError):
        for member in reader.members():
            assert len(reader.data()) == member.size


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(entries=3), "holds more than 3 entries; pack fewer, or split it"),
        (Limits(file=1 << 20), "big: more than 1 MiB"),
        (Limits(total=1 << 20), "holds more than 1 MiB"),
    ],
    ids=["entries", "file", "total"],
)
def test_limits_are_held(store, limits, message):
    with pytest.raises(ArchiveError, match=message):
        put(store, gzip.compress(plain({"big": b"x" * (2 << 20), **FILES})), limits=limits)


def bomb(size):
    """Zeros, as small as they get: a gzip stream of so many MiB, made piece by piece."""
    header = plain({"zeros": b""})[:512]
    info = tarfile.TarInfo("zeros")
    info.size = size << 20
    header = info.tobuf(tarfile.GNU_FORMAT)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(
        [squeeze.compress(header), *(squeeze.compress(bytes(1 << 20)) for _ in range(size)), squeeze.flush()]
    )


def test_bomb_behind_the_end_of_the_archive_is_given_up_too(store):
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = squeeze.compress(plain()) + b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(64)) + squeeze.flush()

    with pytest.raises(ArchiveError, match="grows to more than"):
        put(store, data)


def test_archive_in_zstd_says_which_extra_it_needs(store, monkeypatch):
    data = zstd(plain())
    monkeypatch.setattr(expand, "ZSTD_MODULES", ())

    with pytest.raises(ArchiveError, match=r"needs the extra \[zstd\]"):
        put(store, data)


@pytest.mark.asyncio
async def test_large_archive_is_never_whole_in_memory(store, tmp_path):
    with packing() as (opened, buffer):
        for number in range(24):
            opened.addfile(*entry(f"{number}.bin", Random(number).randbytes(4 << 20)))
    file = tmp_path / "large.tar"
    file.write_bytes(buffer.getvalue())

    async with working(store.path, memory=80) as pool:
        found = await archive.unpack(file, SimpleNamespace(work=pool), Unpacking(), timeout=50)

    assert (found.stored.files, found.stored.size) == (24, 96 << 20)


@pytest.mark.asyncio
async def test_bomb_is_given_up_early_and_costs_no_memory(store, tmp_path):
    file = tmp_path / "bomb.tar.gz"
    file.write_bytes(bomb(250))
    assert file.stat().st_size < 1 << 20

    async with working(store.path, memory=200) as pool:
        with pytest.raises(
            ArchiveError, match=r"^grows to more than 200 times its size when it is expanded; compress it less$"
        ):
            await archive.unpack(file, SimpleNamespace(work=pool), Unpacking(), timeout=50)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.asyncio
async def test_a_hundred_thousand_entries_are_fine_and_cost_little_memory(store, tmp_path):
    with packing(tarfile.GNU_FORMAT) as (opened, buffer):
        for number in range(100_000):
            opened.addfile(*entry(f"{number % 500}/{number}.yaml", b"n: %d\n" % (number % 100)))
    file = tmp_path / "many.tar.gz"
    file.write_bytes(gzip.compress(buffer.getvalue(), 1))

    async with working(store.path, memory=150) as pool:
        found = await archive.unpack(file, SimpleNamespace(work=pool), Unpacking(), timeout=200)

    assert found.stored.files == 100_000
