"""Names of artifacts."""

import pytest

from gitopsd.plugin.oci import reference
from gitopsd.plugin.oci.reference import Reference, ReferenceFormatError, Repository

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "host", "path", "tag", "digest"),
    [
        ("oci://ghcr.io/org/app", "ghcr.io", "org/app", "", ""),
        ("oci://localhost:5000/app:1.0", "localhost:5000", "app", "1.0", ""),
        ("oci://localhost/app", "localhost", "app", "", ""),
        (f"oci://ghcr.io/a/b/c-d__e.f@{DIGEST}", "ghcr.io", "a/b/c-d__e.f", "", DIGEST),
        (f"oci://[::1]:5000/app:v1@{DIGEST}", "[::1]:5000", "app", "v1", DIGEST),
    ],
)
def test_parts_of_a_reference(text, host, path, tag, digest):
    found = reference.read(text)

    assert found == Reference(repository=Repository(host=host, path=path), tag=tag, digest=digest)
    assert str(found) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ghcr.io/org/app", "does not begin with oci://"),
        ("oci://ghcr.io", "names no registry"),
        ("oci:///app", "names no registry"),
        ("oci://ghcr.io:99999/app", "names no registry"),
        ("oci://ghcr.io:0/app", "names no registry"),
        ("oci://user:secret@ghcr.io/app", "names no registry"),
        ("oci://registry/app", "give the host a domain or a port, or write docker.io/registry"),
        ("oci://ghcr.io/Org/app", "no name of a repository"),
        ("oci://ghcr.io/../app", "no name of a repository"),
        ("oci://ghcr.io/a//b", "no name of a repository"),
        ("oci://ghcr.io/app:-x", "is no tag"),
        ("oci://ghcr.io/app:" + "x" * 129, "is no tag"),
        ("oci://ghcr.io/app@sha256:ab", "is no digest"),
        ("oci://ghcr.io/app?x=1", "no name of a repository"),
        ("oci://ghcr.io/" + "a-" * 60 + "!", "no name of a repository"),
        ("oci://ghcr.io/" + "a" * 256, "no name of a repository"),
    ],
)
def test_text_that_names_no_artifact_is_refused_in_words(text, message):
    with pytest.raises(ReferenceFormatError, match=message):
        reference.read(text)


def test_docker_hub_has_a_server_and_a_folder_of_its_own():
    own, other = (reference.read(f"oci://docker.io/{name}").repository for name in ("alpine", "org/app"))

    assert (own.server, own.name) == ("index.docker.io", "library/alpine")
    assert (other.server, other.name) == ("index.docker.io", "org/app")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1:5000", True),
        ("[::1]:5000", True),
        ("127.example.org", False),
        ("10.0.0.1:1", False),
    ],
)
def test_only_this_machine_is_local(host, local):
    assert reference.read(f"oci://{host}/app").repository.local is local
