"""Command texts: what shells leave of them, az' spellings, and the faults of az that are not copied."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from plugins.aks.conftest import Importing

from gitopsd_plugins.aks.resource import InputError

START = "az k8s-configuration flux create -g rg -c aks -t managedClusters -n app --namespace web "
GIT = START + "-u https://github.com/o/r --branch main "


@pytest.mark.parametrize(
    "spelling",
    [
        "dependsOn=infra",
        'dependsOn=["infra"]',
        "dependsOn='[\"infra\"]'",
        r"dependsOn=\[\"infra\"\]",
        r'dependsOn=\["infra"\]',
        "depends_on=infra",
        "dependencies=infra",
        "depends=[infra]",
    ],
)
def test_every_spelling_of_dependencies_is_understood(imported: Importing, spelling: str) -> None:
    made = imported(GIT + f"-k name=infra path=a -k name=apps path=b {spelling}")
    assert made.spec("Kustomization", "app-apps")["dependsOn"] == [{"name": "app-infra"}]


@pytest.mark.parametrize(
    "spelling", ["dependsOn=a,b", 'dependsOn=["a","b"]', 'dependsOn=["a", "b"]', "dependsOn=[a, b]"]
)
def test_several_dependencies_with_and_without_blanks(imported: Importing, spelling: str) -> None:
    made = imported(GIT + f"-k name=a path=a -k name=b path=b -k name=c path=c {spelling}")
    assert made.spec("Kustomization", "app-c")["dependsOn"] == [{"name": "app-a"}, {"name": "app-b"}]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", "1m30s"), ("20s", "20s"), ("1h", "1h0m0s"), ("1h2m5s", "1h2m5s"), ("500s", "8m20s")]
)
def test_durations_are_printed_as_go_does(imported: Importing, text: str, seconds: str) -> None:
    made = imported(GIT + f"--interval {text} -k name=a path=a")
    assert made.spec("GitRepository", "app")["interval"] == seconds


@pytest.mark.parametrize("text", ["1d", "90", "500ms", "1h2m5s junk", "''", "-5s"])
def test_durations_that_az_misreads_are_refused(imported: Importing, text: str) -> None:
    with pytest.raises(InputError, match=r"1h30m10s|takes one value"):
        imported(GIT + f"--interval '{text}' -k name=a path=a" if text != "''" else GIT + "--interval '' -k name=a")


def test_prune_false_is_false_and_said_once(imported: Importing) -> None:
    made = imported(GIT + "-k name=a path=a prune=false -k name=b path=b prune=false force=true")
    assert made.spec("Kustomization", "app-a")["prune"] is False
    assert made.spec("Kustomization", "app-b")["force"] is True
    assert made.said.count("az would have read prune=false as true") == 1


@pytest.mark.parametrize("key", ["disable-health-check", "disable_health_check"])
def test_without_health_check_nothing_is_waited_for(imported: Importing, key: str) -> None:
    made = imported(GIT + f"-k name=a path=a {key}=true")
    assert made.spec("Kustomization", "app-a")["wait"] is False


def test_cmd_lines_go_on_with_a_caret_and_percent_variables_are_filled_in(imported: Importing) -> None:
    text = (
        "set REPO=https://github.com/o/r\r\n"
        + START
        + "^\r\n  -u %REPO% ^\r\n  --branch main ^\r\n  -k name=a path=a\r\n"
    )
    assert imported(text).spec("GitRepository", "app")["url"] == "https://github.com/o/r"


def test_powershell_variables_of_the_same_text_are_filled_in(imported: Importing) -> None:
    text = '$repo = "https://github.com/o/r"\n' + START + "`\n -u $repo `\n --branch main `\n -k name=a path=a\n"
    assert imported(text).spec("GitRepository", "app")["url"] == "https://github.com/o/r"


def test_variables_that_nobody_set_are_all_named(imported: Importing) -> None:
    with pytest.raises(InputError, match=r"not set here: BRANCH, REPO; give each with --var NAME=VALUE"):
        imported(START + '-u $REPO --branch "${BRANCH}" -k name=a path=a')


def test_given_variables_win(imported: Importing) -> None:
    text = "REPO=https://github.com/o/other\n" + START + "-u $REPO --branch main -k name=a path=a"
    made = imported(text, variables={"REPO": "https://github.com/o/r"})
    assert made.spec("GitRepository", "app")["url"] == "https://github.com/o/r"


def test_nothing_in_a_text_is_run(imported: Importing, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not run here"):
        imported(START + f"-u $(touch {tmp_path}/ran) --branch main -k name=a path=a")
    assert not (tmp_path / "ran").exists()


def test_a_kustomization_is_added_by_a_command_of_its_own(imported: Importing) -> None:
    text = GIT + "-k name=a path=a\n"
    text += "az k8s-configuration flux kustomization create -g rg -c aks -t managedClusters -n app -k b --path ./b "
    text += "--depends-on a --prune --disable-health-check --interval 2m"
    spec = imported(text).spec("Kustomization", "app-b")
    assert (spec["path"], spec["dependsOn"], spec["prune"]) == ("./b", [{"name": "app-a"}], True)
    assert (spec["wait"], spec["interval"]) == (False, "2m0s")


def test_the_forms_with_an_equals_sign_and_short_names(imported: Importing) -> None:
    text = "az k8s-configuration flux create --name=app --ns=web --url=https://github.com/o/r --branch=main -k name=a path=a"
    assert imported(text).spec("GitRepository", "app")["ref"] == {"branch": "main"}


def test_keys_and_known_hosts_are_read_from_files(imported: Importing, tmp_path: Path) -> None:
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----")
    (tmp_path / "hosts").write_text("\ngithub.com ssh-ed25519 AAAA\n\n")
    text = (
        START
        + "-u git@github.com:o/r --branch main --ssh-private-key-file id --known-hosts-file hosts -k name=a path=a"
    )
    made = imported(text)
    assert made.spec("GitRepository", "app")["url"] == "ssh://git@github.com/o/r"
    secret = {key: base64.b64decode(value) for key, value in made.secrets["app-auth"].items()}
    assert secret["identity"].endswith(b"PRIVATE KEY-----\n")
    assert secret["known_hosts"] == b"github.com ssh-ed25519 AAAA\n"
    assert "lost its last line break" in made.said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GIT + "--unheard-of x -k name=a", "unknown option --unheard-of"),
        (GIT + "--container-name x -k name=a", "belongs to --kind azblob"),
        (GIT + "-k path=a", "name=... is missing"),
        (GIT + "-k name=a path=a -k name=a path=b", "'a' is given twice"),
        (GIT + "-k name=a path=My Folder", "put quotes around a value with blanks"),
        (GIT + "-k name=a colour=blue", "unknown key 'colour'"),
        (GIT + "-k name=a prune=maybe", "is not a boolean"),
        (GIT + "--https-user u --https-key k --ssh-private-key LS0t -k name=a", "signs in nowhere"),
        (GIT + "--known-hosts a --known-hosts-file b -k name=a", "b cannot be read|says that already"),
        (GIT + "-k name=a path='open", "is never closed"),
        (START.replace("-n app", "") + "-u https://github.com/o/r -k name=a", "--name is missing"),
        (START + "-u github.com/o/r --branch main -k name=a", "must begin with https://"),
        (GIT + "-k name=a dependsOn=b", "there is no kustomization 'b'"),
        (GIT + "-k name=a dependsOn=b -k name=b dependsOn=a", "in a circle: a -> b -> a"),
        (GIT.replace("-n app", "-n App") + "-k name=a", "'App' is not a name"),
        (GIT + f"-k name={'a' * 60} path=a", "is longer than 63"),
    ],
)
def test_what_cannot_be_is_refused_in_words(imported: Importing, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        imported(text)


def test_looking_commands_are_passed_over_and_changing_ones_are_lost(imported: Importing) -> None:
    made = imported(
        GIT
        + "-k name=a path=a\naz k8s-configuration flux show -n app\naz k8s-configuration flux update -n app --suspend"
    )
    assert [note.lost for note in made.found.notes] == [False, True]


def test_a_prompt_before_a_command_does_no_harm(imported: Importing) -> None:
    assert imported("$ " + GIT + "-k name=a path=a").spec("Kustomization", "app-a")["path"] == "./a"


def test_settings_of_the_extension_that_are_not_carried_over_are_named(imported: Importing) -> None:
    extension = "az k8s-extension create -g rg -c aks -t managedClusters --name flux --extension-type microsoft.flux --config kustomize-controller.strict-substitution-mode=true source-controller.enabled=true\n"
    said = imported(extension + GIT + "-k name=a path=a").said
    assert "kustomize-controller.strict-substitution-mode=true is not carried over" in said
    assert "source-controller.enabled" not in said


def test_settings_of_the_extension_in_the_same_script_count(imported: Importing) -> None:
    extension = "az k8s-extension create -g rg -c aks -t managedClusters --name flux --extension-type microsoft.flux --config multiTenancy.enforce=false\n"
    made = imported(extension + GIT + "-k name=a path=a")
    assert "serviceAccountName" not in made.spec("Kustomization", "app-a")
