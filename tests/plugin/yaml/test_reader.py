"""Documents, anchors, merges, keys, encodings, and what an error says."""

import sys

import pytest

from gitopsd.plugin import Misconfigured, yaml


def error_of(text: bytes | str, **options: object) -> yaml.YamlError:
    with pytest.raises(yaml.YamlError) as caught:
        yaml.read(text, **options)  # type: ignore[arg-type] # each test passes what it is about
    return caught.value


def test_every_document_comes_with_the_line_on_which_it_begins() -> None:
    documents = yaml.read_all("# first\na: 1\n---\n\n- b\n--- c\n")

    assert [(document.value, document.line) for document in documents] == [({"a": 1}, 2), (["b"], 5), ("c", 6)]


def test_documents_that_say_nothing_are_left_out() -> None:
    assert yaml.read_all("---\n---\n# only this\n---\n...\n---\n") == []


def test_an_explicit_null_is_a_document() -> None:
    assert [document.value for document in yaml.read_all("null\n--- ~\n")] == [None, None]


def test_a_text_that_says_nothing_reads_as_none() -> None:
    assert yaml.read("# nothing\n") is None


def test_a_second_document_is_refused_where_one_is_expected() -> None:
    error = error_of("a: 1\n---\nb: 2\n", file="x.yaml")

    assert str(error) == (
        "x.yaml:3:1: a second document begins here, and one is expected; remove it, or keep it in its own file"
    )


def test_an_error_names_file_line_and_column_and_is_the_users_to_mend() -> None:
    error = error_of("a:\n  b: 1\n c: 2\n", file="apps/x.yaml")

    assert isinstance(error, Misconfigured)
    assert (error.file, error.line, error.column) == ("apps/x.yaml", 3, 2)
    assert str(error).startswith("apps/x.yaml:3:2: did not find expected key while parsing a block mapping; ")


def test_an_error_of_a_nameless_text_names_line_and_column() -> None:
    assert str(error_of("a: @x")).startswith("line 1, column 4: found character that cannot start any token ")


@pytest.mark.parametrize(
    ("text", "first", "again"),
    [
        ("a: 1\nb: 2\na: 3\n", (1, 1), (3, 1)),
        ("x:\n- {b: 1, 'b': 2}\n", (2, 4), (2, 10)),
        ("1: a\n'1': b\n", (1, 1), (2, 1)),
        ("b: {a: {a: 1}}\nc: {a: 0, d: {a: 1}, a: 2}\n", (2, 5), (2, 22)),
        ("n:\n  a: [1, {k: v}]\n  b: 1\n  a: 2\n", (2, 3), (4, 3)),
    ],
)
def test_a_key_said_twice_is_an_error_with_both_places(
    text: str, first: tuple[int, int], again: tuple[int, int]
) -> None:
    error = error_of(text)

    assert (error.line, error.column) == again
    assert f"is there already, at line {first[0]}, column {first[1]}; keep one of them" in str(error)


def test_the_last_of_equal_keys_wins_when_asked_for() -> None:
    assert yaml.read("a: 1\nb: 2\na: 3\n", unique_keys=False) == {"a": 3, "b": 2}


def test_maps_keep_the_order_of_their_keys() -> None:
    assert list(yaml.read("z: 1\na: 2\nm: 3\n")) == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{<<: *b, x: 3}", {"x": 3, "y1": 2}),
        ("{x: 3, <<: *b}", {"x": 3, "y1": 2}),
        ("{<<: [{x: 9}, *b]}", {"x": 9, "y1": 2}),
        ("{<<: {x: 9}, <<: *b}", {"x": 1, "y1": 2}),
        ("{!!merge <<: *b}", {"x": 1, "y1": 2}),
        ("{'<<': *b}", {"<<": {"x": 1, "y1": 2}}),
        ("{<<: []}", {}),
    ],
)
def test_merge_keys_add_what_the_map_does_not_say_itself(text: str, value: object) -> None:
    assert yaml.read(f"b: &b {{x: 1, y1: 2}}\nc: {text}\n")["c"] == value


def test_a_key_said_twice_beside_a_merge_is_an_error() -> None:
    assert "key 'x' is there already" in str(error_of("b: &b {x: 1}\nc: {<<: *b, x: 2, x: 3}\n"))


@pytest.mark.parametrize("value", ["1", "", "[{a: 1}, 2]", "'x'"])
def test_a_merge_of_something_else_than_maps_is_an_error(value: str) -> None:
    assert "takes a map or a list of maps" in str(error_of(f"c:\n  <<: {value}\n"))


def test_aliases_are_copies_that_can_be_changed_alone() -> None:
    value = yaml.read("a: &a {x: [1]}\nb: *a\nc: {<<: *a}\n")

    value["b"]["x"].append(2)
    value["c"]["x"].append(3)

    assert value == {"a": {"x": [1]}, "b": {"x": [1, 2]}, "c": {"x": [1, 3]}}


def test_anchors_work_on_scalars_and_keys_and_end_with_their_document() -> None:
    assert yaml.read("a: &x b\n*x : c\n&k key: *k\nkey2: *k\n") == {"a": "b", "b": "c", "key": "key", "key2": "key"}
    assert "anchor 'x' is not defined above" in str(error_of("a: &x 1\n---\nb: *x\n"))


def test_an_anchor_may_be_set_again() -> None:
    assert yaml.read("[&a 1, *a, &a 2, *a]") == [1, 1, 2, 2]


def test_an_anchor_inside_itself_is_an_error() -> None:
    error = error_of("a: &x\n- *x\n")

    assert (error.line, error.column) == (2, 3)
    assert "contains itself" in str(error)


@pytest.mark.parametrize("key", ["~", "? #\n", "null", "!!null ''"])
def test_a_null_key_is_an_error(key: str) -> None:
    assert 'a key is null; name the key, or write it as "null"' in str(error_of(f"a: 1\n{key}: 2\n"))


@pytest.mark.parametrize("text", ["? [a]\n: 1\n", "? {a: 1}\n: 1\n", "a: &a [1]\n*a : 2\n"])
def test_a_list_or_map_as_key_is_an_error(text: str) -> None:
    assert "a list or map cannot be a key" in str(error_of(text))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_encodings_of_yaml_are_read(encoding: str) -> None:
    assert yaml.read("a: é😀\n".encode(encoding)) == {"a": "é😀"}


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (b"a: b\nc: \xff", (2, 4), "byte 0xFF is not UTF-8"),
        ("a: é".encode("latin1"), (1, 4), "byte 0xE9 is not UTF-8"),
        (b"a: \xe2\x82", (1, 4), "byte 0xE2 is not UTF-8"),
        ("é: \ud800", (1, 4), "character U+D800 is half of a pair"),
        ("a: 1\r\nb: 'x\x00'", (2, 6), "control character U+0000"),
        ("\ufeffa: \x7f", (1, 4), "control character U+007F"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_place(text: bytes | str, place: tuple[int, int], what: str) -> None:
    error = error_of(text)

    assert (error.line, error.column) == place
    assert what in str(error)


def test_errors_do_not_repeat_values() -> None:
    error = error_of("password: hunter2: x\n")

    assert "hunter2" not in str(error)


def test_without_libyaml_the_pure_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &a {x: [1, '2', yes]}\nb: {<<: *a, y1: ! 7}\nc: |\n  t\n---\n- 0644\n"
    expected = yaml.read_all(text)

    monkeypatch.setitem(sys.modules, "yaml._yaml", None)

    assert yaml.read_all(text) == expected
    assert error_of("a:\n  b: 1\n c: 2\n").line == 3
    assert error_of(b"a: b\nc: \xff").line == 2


def test_kustomizes_reading_keeps_words_and_is_through_json() -> None:
    text = "a: [y, on, No, TRUE, ~, 0644, 1:30, 1.0, 08, 1e20, 1.50]\nyes: 2024-1-2\n1: '2024-01-02'\n"

    assert yaml.read(text, dialect=yaml.KUSTOMIZE) == {
        "a": ["y", "on", "No", True, None, 420, "1:30", 1, 8, 1e20, 1.5],
        "yes": "2024-01-02T00:00:00Z",
        "1": "2024-01-02",
    }
    assert yaml.write(yaml.read("- 1e3\n- 99999999999999999999\n- !!str 2024-01-02\n", dialect=yaml.KUSTOMIZE)) == (
        '- 1000\n- 1e+20\n- "2024-01-02"\n'
    )
    assert yaml.locate(text, ["yes"], dialect=yaml.KUSTOMIZE) == (2, 1)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-01-02T3:4:5Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02t03:04:05.500+02:00", "2024-01-02T03:04:05.5+02:00"),
        ("2024-01-02 03:04:05.120", "2024-01-02T03:04:05.12Z"),
        ("2024-01-02T03:04:05", "2024-01-02T03:04:05"),
        ("2024-13-02", "2024-13-02"),
        ("2024-01-02 03:04", "2024-01-02 03:04"),
    ],
)
def test_kustomizes_times_are_rfc_3339(text: str, time: str) -> None:
    assert yaml.read(f"- {text}", dialect=yaml.KUSTOMIZE) == [time]
