"""Remote resources: repositories and files on loopback, fetched by the sources, beside the real binary where it is found."""

import os
import shutil
import subprocess

import pytest
from click.testing import CliRunner
from fakes import git_server, web_files
from fakes.git_repository import GitRepository

from gitopsd.cli.main import gitopsd
from gitopsd.plugin import RemoteNeeded

BINARY = os.environ.get("KUSTOMIZE") or shutil.which("kustomize")
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {key: value}\n"
BASE = {
    "kustomization.yaml": "resources: [root.yaml]\n",
    "root.yaml": MAP % "root",
    "deploy/base/kustomization.yaml": "resources: [a.yaml, ../shared]\nnamePrefix: base-\n",
    "deploy/base/a.yaml": MAP % "a",
    "deploy/shared/kustomization.yaml": "configMapGenerator: [{name: made, files: [f.txt]}]\n",
    "deploy/shared/f.txt": "text",
    "deploy/component/kustomization.yaml": (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {by: component}\n"
    ),
    "deploy/escapes/kustomization.yaml": "resources: [../../../x]\n",
    "deploy/reads-above/kustomization.yaml": "resources: [../base/a.yaml]\n",
}


@pytest.fixture
def repository(tmp_path):
    made = GitRepository(tmp_path / "upstream.git")
    first = made.commit(BASE, branch="main")
    made.tag("v1", first)
    made.commit({"deploy/base/a.yaml": MAP % "newer"}, branch="main")
    (made.path / "HEAD").write_text("ref: refs/heads/main\n")
    return made


@pytest.fixture
def git(repository):
    with git_server.http_server(repository.path) as server:
        yield server


@pytest.fixture
def web():
    with web_files.serve({"/a.yaml": MAP % "from-web", "/patch.yaml": MAP % "from-web", "/page": "<html>\n"}) as it:
        yield it


def run(folder, *options):
    return CliRunner().invoke(gitopsd, ["build", "kustomization", str(folder), *options])


def built(folder, text, *options):
    (folder / "kustomization.yaml").write_text(text)
    return run(folder, "--remote-host", "127.0.0.1", "--remote-http", *options)


def names(result):
    assert result.exit_code == 0, result.stderr
    return [line.split()[-1] for line in result.stdout.splitlines() if line.startswith("  name:")]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "overlay"
    made.mkdir()
    return made


CASES = {
    "a folder at a tag": "resources: ['{git}//deploy/base?ref=v1']\nnamePrefix: mine-\n",
    "a folder at the default branch": "resources: ['{git}/deploy/base']\n",
    "the root": "resources: ['{git}?ref=v1']\n",
    "a component": "resources: ['{git}?ref=v1']\ncomponents: ['{git}//deploy/component?ref=main']\n",
    "a file": "resources: ['{web}/a.yaml']\n",
    "a file as a patch": (
        "resources: ['{web}/a.yaml']\npatches: [{{path: '{web}/patch.yaml', target: {{kind: ConfigMap}}}}]\n"
    ),
    "content of a map": "configMapGenerator: [{{name: m, files: ['k={web}/a.yaml']}}]\n",
    "where things come from": (
        "buildMetadata: [originAnnotations, transformerAnnotations]\nnamePrefix: x-\n"
        "resources: ['{git}?ref=v1', '{git}//deploy/base?ref=main', '{web}/a.yaml']\n"
    ),
    "the same twice": "resources: ['{git}//deploy/base?ref=v1', '{git}//deploy/base?ref=v1']\n",
    "no such folder": "resources: ['{git}//deploy/none?ref=v1']\n",
    "no such revision": "resources: ['{git}//deploy/base?ref=v9']\n",
    "a file, not a folder": "resources: ['{git}//deploy/base/a.yaml?ref=v1']\n",
    "out of the repository": "resources: ['{git}//deploy/escapes?ref=v1']\n",
    "a file beside its folder": "resources: ['{git}//deploy/reads-above?ref=v1']\n",
    "no such file": "resources: ['{web}/none.yaml']\n",
    "a page": "resources: ['{web}/page']\n",
}

FAIL = {
    "the same twice",
    "no such folder",
    "no such revision",
    "a file, not a folder",
    "out of the repository",
    "a file beside its folder",
    "no such file",
    "a page",
}


@pytest.mark.skipif(not BINARY, reason="no kustomize binary")
@pytest.mark.skipif(not shutil.which("git"), reason="no git binary, which kustomize needs")
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_it_is_as_with_the_binary(case, folder, git, web):
    text = CASES[case].format(git=git.url, web=web.url)
    ours = built(folder, text)
    assert ours.exception is None or isinstance(ours.exception, SystemExit)
    theirs = subprocess.run([BINARY, "build", folder], check=False, capture_output=True, text=True)
    assert (ours.exit_code == 0, ours.stdout) == (theirs.returncode == 0, theirs.stdout), theirs.stderr + ours.stderr
    assert (ours.exit_code != 0) == (case in FAIL), ours.stderr


@pytest.mark.slow
def test_a_folder_of_a_repository_is_built_at_its_revision(folder, git):
    text = "resources: ['{}//deploy/base?ref={}']\n"
    assert names(built(folder, text.format(git.url, "v1"))) == ["base-a", "base-made-92mghk4b9g"]
    assert names(built(folder, text.format(git.url, "main"))) == ["base-made-92mghk4b9g", "base-newer"]


@pytest.mark.slow
def test_a_file_is_taken_and_what_is_no_file_may_be_a_repository(folder, git, web):
    assert names(built(folder, f"resources: ['{web.url}/a.yaml']\n")) == ["from-web"]
    plain = git.url.removesuffix(".git")
    assert names(built(folder, f"resources: ['{plain}?ref=v1']\n")) == ["root"]


@pytest.mark.slow
def test_a_redirect_is_followed_but_not_for_ever(folder, web):
    web.redirects = {"/moved": "/a.yaml", "/round": "/round"}
    assert names(built(folder, f"resources: ['{web.url}/moved']\n")) == ["from-web"]
    assert "redirects more than 10 times" in built(folder, f"resources: ['{web.url}/round']\n").stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("entry", "options", "message"),
    [
        ("{web}/a.yaml", (), "'{web}/a.yaml' is remote, and remote resources are not fetched"),
        (
            "{git}?ref=v1",
            ("--remote-host", "example.org"),
            "is http, which the setting remoteResources.http does not allow",
        ),
        ("{git}?ref=v1", ("--remote-http", "--remote-host", "*.org"), "the host '127.0.0.1' is not among those"),
        (
            "git@example.org:a/b",
            ("--remote-host", "*"),
            "git@example.org:a/b: remote resources are fetched by https only",
        ),
        ("file:///srv/a.git", ("--remote-host", "*"), "file:///srv/a.git: remote resources are fetched by https only"),
    ],
)
def test_nothing_is_fetched_but_what_is_allowed(folder, git, web, entry, options, message):
    (folder / "kustomization.yaml").write_text(f"resources: ['{entry.format(git=git.url, web=web.url)}']\n")
    result = run(folder, *options)
    assert result.exit_code == 1
    assert message.format(git=git.url, web=web.url) in result.stderr
    assert (web.asked, git.behaviour.requests) == ([], [])


@pytest.mark.slow
def test_a_password_in_an_address_is_in_no_message(folder, git, web):
    secret = "hush-hush"
    for url in (git.url, web.url + "/none"):
        entry = url.replace("http://", f"http://me:{secret}@") + "?ref=v9"
        for options in ((), ("--remote-host", "127.0.0.1"), ("--remote-host", "127.0.0.1", "--remote-http")):
            (folder / "kustomization.yaml").write_text(f"resources: ['{entry}']\n")
            result = run(folder, *options)
            assert result.exit_code == 1
            assert secret not in result.output + result.stderr


def test_all_that_one_file_names_is_asked_for_at_once(folder, tree):
    from gitopsd.plugin import Remotes, Tree
    from gitopsd.plugin.folder import LocalFolder
    from gitopsd_plugins.kustomize import build

    urls = ["https://example.org/a.yaml", "https://example.org/b.yaml", "https://example.org/o/r//x"]
    (folder / "kustomization.yaml").write_text(f"resources: {urls}\ncomponents: ['github.com/o/c']\n")
    source = LocalFolder(folder)
    with pytest.raises(RemoteNeeded) as needed:
        build.build(Tree(source, source.root, remotes=Remotes(source, {})))
    assert [str(remote) for remote in needed.value.remotes] == [
        *urls[:2],
        "https://example.org/o/r",
        "https://github.com/o/c",
    ]
