"""An index as it streams by: what is kept of it, and what is refused."""

from __future__ import annotations

import io
import json

import pytest

from gitopsd.plugin import Rejected
from gitopsd_plugins.helm import entries, index
from gitopsd_plugins.helm.entries import Entry

YAML = b"""\
apiVersion: v1
entries:
  web:
  - apiVersion: v2
    created: "2026-01-02T03:04:05.678Z"
    description: "a chart: with {braces} and [brackets]"
    digest: abcd
    dependencies: [{name: redis, version: 1.x, repository: https://example.org}]
    maintainers:
    - &me {name: ada}
    - *me
    name: web
    urls:
    - https://example.org/web-1.2.0.tgz
    version: 1.2.0
  - {name: web, version: 1.1.0, urls: [web-1.1.0.tgz]}
  db/main:
  - {name: db, version: 0.1.0+build, urls: []}
  empty: []
generated: "2026-01-02T03:04:05Z"
"""
CHARTS = {
    "web": [
        Entry(
            version="1.2.0",
            urls=("https://example.org/web-1.2.0.tgz",),
            digest="abcd",
            created="2026-01-02T03:04:05.678Z",
        ),
        Entry(version="1.1.0", urls=("web-1.1.0.tgz",)),
    ],
    "db/main": [Entry(version="0.1.0+build")],
    "empty": [],
}
JSON = {
    "entries": {
        name: [
            {"version": e.version, "urls": e.urls, "digest": e.digest, "created": e.created, "x": "\ud83d\ude00/"}
            for e in es
        ]
        for name, es in CHARTS.items()
    },
    "generated": "2026-01-02",
    "apiVersion": "v1",
}


def charts(data):
    return dict(index.charts(io.BytesIO(data)))


@pytest.mark.parametrize(
    "data",
    [
        YAML,
        b"\n---\n" + YAML,
        b"\xef\xbb\xbf" + YAML,
        json.dumps(JSON).encode(),
        json.dumps(JSON, indent=2, ensure_ascii=True).encode() + b"\n",
        b"  " + json.dumps(JSON).replace("/", "\\/").encode(),
    ],
    ids=["yaml", "yaml with a mark", "yaml with a byte order mark", "json", "json over lines", "json with escapes"],
)
def test_what_selects_and_finds_a_chart_is_kept(data):
    assert charts(data) == CHARTS


@pytest.mark.parametrize(
    "data", [b"apiVersion: v1\nentries: {}\n", b"apiVersion: v1\nentries:\n", b'{"apiVersion": "v1"}']
)
def test_index_without_charts_is_one(data):
    assert charts(data) == {}


@pytest.mark.parametrize("piece", [1, 7, 64])
def test_json_is_read_alike_in_pieces_of_any_size(monkeypatch, piece):
    monkeypatch.setattr("gitopsd_plugins.helm.json_index.PIECE", piece)

    assert charts(json.dumps(JSON).encode()) == CHARTS


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ends too early"),
        (b"# nothing\n", "ends too early"),
        (b"- a\n", "no YAML object"),
        (b"<html><body>not found</body></html>", "no YAML object"),
        (b"entries: {}\n", "it has no apiVersion"),
        (b"apiVersion: v1\nentries: [a]\n", "entries are no object"),
        (b"apiVersion: v1\nentries:\n  web: [{version: 1.0.0}\n", "line 4"),
        (b"apiVersion: v1\nentries:\n  web: []\n  web: []\n", "'web' stands in it twice"),
        (b"apiVersion: v1\nentries:\n  ? [a]\n  : []\n", "a key that is no text"),
        (b"apiVersion: v1\nx: " + b"[" * 150 + b"]" * 150, "nested"),
        (b"apiVersion: v1\nx: &x 1.0.0\nentries: {web: [{version: *x}]}\n", "an alias in the place of a value"),
        (b"apiVersion: v1\nentries: {" + b"a" * 300 + b": []}\n", "more than 250 characters"),
        (b'{"apiVersion": "v1", "entries": {"web": [', "was cut off"),
        (b'{"apiVersion": "v1" "entries": {}}', "is missing"),
        (b'{"apiVersion": "v1", "entries": [1]}', "entries are no object"),
        (b'{"entries": {}}', "it has no apiVersion"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": ' + b"[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_no_index_is_refused_in_words(data, words):
    with pytest.raises(Rejected, match=r"^the index cannot be read: ") as caught:
        charts(data)

    assert words in str(caught.value)
    assert caught.value.reason == "IndexationFailed"


def test_more_charts_versions_and_text_than_sane_are_refused(monkeypatch):
    monkeypatch.setattr(index, "MAX_CHARTS", 1)
    with pytest.raises(Rejected, match="more than 1 charts"):
        charts(YAML)
    monkeypatch.setattr(index, "MAX_VERSIONS", 1)
    with pytest.raises(Rejected, match="more than 1 versions of the chart 'web'"):
        charts(YAML)
    monkeypatch.setattr("gitopsd_plugins.helm.json_index.MAX_VALUE", 10)
    with pytest.raises(Rejected, match="the versions of one chart have more than"):
        charts(b'{"apiVersion": "v1", "entries": {"web": [' + b'"aaaaaaaaaaaaaaaa",' * 100)


def test_entry_without_a_version_is_left_out_as_in_flux():
    assert charts(b"apiVersion: v1\nentries: {web: [{name: web}, text, {version: 1.0.0}]}\n") == {
        "web": [Entry(version="1.0.0")]
    }


@pytest.mark.parametrize("name", ["web", "db/main", "..", ".hidden", "a b", "ü", "%2e"])
def test_name_of_a_chart_is_one_name_in_the_tree(name):
    folder, _, rest = entries.path(name).partition("/")

    assert folder == "charts"
    assert "/" not in rest
    assert rest not in {".", ".."}


def test_names_of_charts_never_meet():
    names = ["a/b", "a%2Fb", "a b", "a%20b", "A", "a"]

    assert len({entries.path(name) for name in names}) == len(names)
