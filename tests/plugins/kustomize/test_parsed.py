"""Texts that were parsed before: fresh values each time, within a bound, one memory for each way of reading."""

from hypothesis import given
from hypothesis import strategies as st

from gitopsd.plugin import yaml
from gitopsd_plugins.kustomize.files.parsed import Parsed

TEXT = "a: {b: [1, yes]}\nc:\n---\nx: 0x10\n"
KEYS = st.text(alphabet="abc", min_size=1, max_size=2)
VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet="ab \n"), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)
)


def test_what_is_handed_out_may_be_changed():
    known = Parsed()
    known.read_all(TEXT, "f", yaml.KUSTOMIZE)[0].value["a"]["b"].append("changed")
    again = known.read_all(TEXT, "f", yaml.KUSTOMIZE)
    assert again == yaml.read_all(TEXT, dialect=yaml.KUSTOMIZE)
    again[0].value.clear()
    assert known.read_all(TEXT, "f", yaml.KUSTOMIZE)[0].value == {"a": {"b": [1, "yes"]}, "c": None}


def test_blanks_belong_to_the_values_that_are_handed_out():
    known = Parsed()
    for _ in range(2):
        document = known.read_all("a: [{b: }]\nc: null\n", "f", yaml.KUSTOMIZE)[0]
        ((holder, key),) = document.blanks
        assert holder is document.value["a"][0]
        assert key == "b"


def test_the_ways_of_reading_are_kept_apart():
    known = Parsed()
    assert known.read_all("a: yes\n", "f", yaml.KUSTOMIZE)[0].value == {"a": "yes"}
    assert known.read_all("a: yes\n", "f", yaml.KUBERNETES)[0].value == {"a": True}


def test_the_memory_has_a_bound():
    known = Parsed(most=1_000)
    for i in range(100):
        known.read_all(f"key: value-{i:050}\n", "f", yaml.KUSTOMIZE)
    assert 0 < known.size <= 1_000


@given(st.lists(VALUES, max_size=3))
def test_reading_again_is_reading(values):
    known, text = Parsed(), yaml.write_all(values)
    first = known.read_all(text, "f", yaml.KUSTOMIZE)
    assert known.read_all(text, "f", yaml.KUSTOMIZE) == first == yaml.read_all(text, dialect=yaml.KUSTOMIZE)
