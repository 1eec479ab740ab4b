import pytest

from gitopsd.model.remote import Remote
from gitopsd.plugin.reach import Reach
from gitopsd.reconcile import remotes

ANY = Reach(hosts=("*",))


def at(url: str) -> Remote:
    return Remote(sort="git", url=url)


@pytest.mark.parametrize(
    ("url", "reach"),
    [
        ("https://github.com/o/r", Reach(hosts=("github.com",))),
        ("https://GitHub.com:443/o/r", Reach(hosts=("github.com",))),
        ("https://raw.githubusercontent.com/o/r", Reach(hosts=("*.githubusercontent.com",))),
        ("https://me:pw@example.org/o/r", ANY),
        ("http://example.org/o/r", Reach(hosts=("*",), plain=True)),
    ],
)
def test_hosts_that_the_settings_name_may_be_asked(url: str, reach: Reach) -> None:
    assert remotes.refused(at(url), reach) == ""


@pytest.mark.parametrize(
    ("url", "reach", "message"),
    [
        (
            "https://github.com.evil.org/o/r",
            Reach(hosts=("github.com",)),
            "the host 'github.com.evil.org' is not among",
        ),
        ("https://github.com@evil.org/o/r", Reach(hosts=("github.com",)), "the host 'evil.org' is not among"),
        ("https://github.com", Reach(), "the host 'github.com' is not among"),
        ("http://example.org/o/r", ANY, "is http"),
        ("https://169.254.169.254/o/r", ANY, "an address of this machine's own link"),
        ("http://metadata.google.internal/", Reach(hosts=("*",), plain=True), "an address of this machine's own link"),
        ("ssh://git@example.org/o/r", ANY, "by https only"),
        ("git@example.org:o/r", ANY, "by https only"),
        ("file:///srv", ANY, "by https only"),
        ("https://github.com\\@evil.org/o/r", ANY, "by https only"),
        ("https://git\thub.com/o/r", ANY, "by https only"),
        ("https:///o/r", ANY, "by https only"),
        ("https://[::1/o/r", ANY, "by https only"),
    ],
)
def test_everything_else_is_refused_with_the_reason(url: str, reach: Reach, message: str) -> None:
    assert message in remotes.refused(at(url), reach)


def test_a_refusal_shows_no_password() -> None:
    assert "hush" not in remotes.refused(at("http://me:hush@example.org/o/r"), ANY)
