import pytest

from gitopsd_plugins.kustomize.objects import address

GITHUB = "https://github.com/"


@pytest.mark.parametrize(
    ("text", "clone", "folder", "revision"),
    [
        ("https://github.com/org/repo", GITHUB + "org/repo", "", ""),
        ("github.com/org/repo/deploy/base?ref=v1.2", GITHUB + "org/repo", "deploy/base", "v1.2"),
        ("http://GitHub.com/org/repo//deploy?version=v1", GITHUB + "org/repo", "deploy", "v1"),
        ("git::https://example.org/a/b/c?ref=x", "https://example.org/a/b", "c", "x"),
        ("https://example.org/group/sub/repo.git/deploy", "https://example.org/group/sub/repo.git", "/deploy"[1:], ""),
        ("https://example.org/group/sub/repo//deploy", "https://example.org/group/sub/repo", "deploy", ""),
        ("https://me@dev.azure.com/o/p/_git/r/x/y?version=1", "https://me@dev.azure.com/o/p/_git/r", "x/y", "1"),
        ("git@github.com:org/repo.git/x?ref=a%2Fb", "git@github.com:org/repo.git", "x", "a/b"),
        ("ssh://git@github.com/org/repo", "git@github.com:org/repo", "", ""),
        ("file:///srv/repo.git", "file:///srv/repo.git", "", ""),
        ("https://example.org/a/b?version=v1&ref=v2&timeout=5", "https://example.org/a/b", "", "v2"),
        ("https://example.org/a/b?ref=v1;x", "https://example.org/a/b", "", ""),
        ("https://example.org/a/b?ref=%zz", "https://example.org/a/b", "", ""),
    ],
)
def test_addresses_of_repositories_are_taken_apart(text, clone, folder, revision):
    found = address.repository(text)
    assert found is not None
    assert (found.clone, found.folder, found.revision) == (clone, folder, revision)


@pytest.mark.parametrize(
    "text",
    ["base", "../base", "/abs", "a/b/c", "host.example.org/a/b", "https://example.org/file.yaml", "x:y", "ftp://h/a/b",
     "https://github.com/org/repo//../out", ""],
)  # fmt: skip
def test_everything_else_is_a_path_or_a_file(text):
    assert address.repository(text) is None


def test_only_what_is_marked_as_a_repository_is_not_asked_for_as_a_file_first():
    certain = {
        text: address.repository(text).certain
        for text in (GITHUB + "o/r/install.yaml", GITHUB + "o/r//x", "github.com/o/r")
    }
    assert list(certain.values()) == [False, True, True]


def test_what_may_be_credentials_is_not_shown():
    assert address.bare("https://me:secret@example.org/a/b") == "https://example.org/a/b"
    assert address.repository("https://me:secret@example.org/a/b").shown == "https://example.org/a/b"
    assert address.bare("../base@x") == "../base@x"
