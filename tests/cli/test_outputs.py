"""How plans are printed: for people, for a pull request, for programs. Values in, text out."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gitopsd.cli import output_diff, output_markdown, output_plan, tally
from gitopsd.cli.exits import Exit
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Phase
from gitopsd.runtime.shown.view import ChangeView, ClusterView, FieldView, PlanView, Report, SourceView, View

APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="app")


def change(action="update", name="a", **more):
    return ChangeView(action=action, kind="ConfigMap", namespace="default", name=name, **more)


def report(*changes, ready=True, phase=Phase.READY, message="", unchanged=0):
    view = View(ref=APP, phase=phase, ready=ready, message=message, app=True)
    return Report(view=view, changes=changes, unchanged=unchanged)


def plan(*reports, sources=(), **cluster):
    return PlanView(clusters=(ClusterView(name="c", server="https://c", **cluster),), sources=sources, apps=reports)


def body(**data):
    return {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


UPDATE = change(
    fields=(FieldView(path="data.x", before="1", after="2"), FieldView(path="data.d", after="0", by="server")),
    before=body(x="1"), ours=body(x="2"), after=body(x="2", d="0"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (plan(report()), Exit.READY),
        (plan(report(change("skip"), change("hold"))), Exit.READY),
        (plan(report(UPDATE)), Exit.CHANGES),
        (plan(report(change("create", declared=True))), Exit.CHANGES),
        (plan(report(change("refuse", deletion=True))), Exit.CHANGES),
        (plan(report(UPDATE, ready=False, phase=Phase.STALLED)), Exit.FAILED),
        (plan(report(ready=False, phase=Phase.SUSPENDED)), Exit.READY),
        (plan(report(), sources=(SourceView(ref=APP, error="away"),)), Exit.READY),
        (plan(report(), sources=(SourceView(ref=APP, instead="revision x", error="no such branch"),)), Exit.FAILED),
    ],
)
def test_the_exit_code(found, expected):
    assert tally.code(found) is expected


def test_the_sentence_counts_a_move_once():
    giver = report(change("skip", moved_to="x", deletion=True), change("refuse", "b", deletion=True), unchanged=3)
    taker = report(change("adopt", moved_from="y"), change("create", "n"), change("delete", "o", deletion=True))
    assert tally.in_words([giver, taker]) == ("Plan: 1 to create, 1 to move, 1 to delete; 1 to approve, 3 unchanged")
    assert tally.in_words([report()]) == "Plan: no change"


def test_what_could_not_be_planned_is_never_called_unchanged():
    failed = report(ready=False, phase=Phase.STALLED)
    assert tally.in_words([failed]) == "Plan: 1 app could not be planned"
    assert tally.in_words([failed, failed, report()]) == "Plan: no change; 2 apps could not be planned"
    assert tally.in_words([failed, report(UPDATE)]) == "Plan: 1 to update; 1 app could not be planned"


def test_a_summary_tells_ours_and_the_servers_apart(capsys):
    output_plan.show(plan(report(UPDATE)), "table")
    shown = capsys.readouterr().out
    assert (
        "  ~ update ConfigMap/default/a\n      data.x: 1 -> 2\n      data.d: (absent) -> 0 (by the server)\n" in shown
    )
    assert shown.splitlines()[0] == "cluster c https://c"


def test_of_a_new_object_the_servers_defaults_are_counted(capsys):
    fields = (
        FieldView(path="kind", after="X"),
        FieldView(path="data", after={"x": "1"}),
        FieldView(path="data.d", by="server"),
    )
    output_plan.show(plan(report(change("create", fields=fields))), "table")
    assert (
        '  + create ConfigMap/default/a\n      data: {"x":"1"}\n      1 more by the server\'s defaults\n'
        in capsys.readouterr().out
    )


def test_a_changed_text_is_shown_by_its_lines(capsys):
    field = FieldView(path="data.f", before="a\nb\nc\n", after="a\nB\nc\n")
    output_plan.show(plan(report(change(fields=(field,)))), "table")
    assert (
        "      data.f:\n        @@ -1,3 +1,3 @@\n         a\n        -b\n        +B\n         c\n"
        in capsys.readouterr().out
    )


def test_what_waits_for_an_approval_says_how_it_is_given(capsys):
    waiting = replace(report(change("refuse", deletion=True)), digest="sha256:0f3a")
    for shape in ("table", "markdown"):
        output_plan.show(plan(waiting), shape)
        assert f"gitopsd.io/approve: sha256:0f3a on {APP}" in capsys.readouterr().out
        output_plan.show(plan(report(UPDATE)), shape)
        assert "gitopsd.io/approve" not in capsys.readouterr().out


def test_offline_stands_in_the_first_line(capsys):
    for shape in ("table", "unified", "side-by-side"):
        output_plan.show(plan(report(UPDATE), offline=True), shape)
        assert "OFFLINE" in capsys.readouterr().out.splitlines()[0]
    output_plan.show(plan(report(UPDATE), offline=True), "markdown")
    assert "OFFLINE" in capsys.readouterr().out


def test_a_unified_diff_is_ours_alone_with_the_servers_part_below():
    assert list(output_diff.unified(UPDATE)) == [
        "--- ConfigMap/default/a (live)", "+++ ConfigMap/default/a (update)", "@@ -2,4 +2,4 @@",
        " metadata:", "   name: a", " data:", '-  x: "1"', '+  x: "2"', '# by the server: data.d: (absent) -> "0"',
    ]  # fmt: skip


def test_side_by_side_has_both_columns_and_fits():
    lines = [line.plain for line in output_diff.beside(UPDATE, 60)]
    assert [line for line in lines if "|" in line] == [f'{"  x: " + chr(34) + "1" + chr(34):<28} |   x: "2"']
    assert all(len(line) <= 60 or line.startswith("#") for line in lines)
    gone = [line.plain for line in output_diff.beside(change("delete", before=body(x="1")), 60)]
    assert f"{'kind: ConfigMap':<28} <" in [line.rstrip() for line in gone]


def test_text_from_a_repository_moves_no_cursor(capsys):
    evil = "\x1b[2Jgone\r\n\x07"
    found = plan(
        report(
            change("refuse", reason=evil, fields=(FieldView(path=evil, before=evil, after="x"),)),
            message=evil,
            ready=False,
        )
    )
    for shape in ("table", "unified", "side-by-side", "markdown"):
        output_plan.show(found, shape)
        assert not set(capsys.readouterr().out) & {"\x1b", "\r", "\x07"}


EVIL = "`` ``` </code><img src=x> @everyone [link](http://x) | # |"


def test_a_comment_lets_nothing_out_of_its_code():
    bad = change(reason=EVIL, before={"a": EVIL}, ours={"a": "```\n````"}, after={})
    page = output_markdown.page(plan(report(bad, message=EVIL, ready=False)), head=[EVIL])
    fences = re.findall(r"^(`{3,})(?:diff)?$", page, re.M)
    assert fences == [fences[0]] * 2
    inside = page.split(fences[0])[1]
    outside = page.replace(inside, "")
    plain = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", outside)
    assert not re.search(r"img|@everyone|\[link\]", plain)


def test_a_comment_fits_into_a_comment():
    large = change(before=None, ours=body(x="y" * 20_000), after=body(x="y" * 20_000))
    page = output_markdown.page(plan(report(*[replace(large, name=f"n{n}") for n in range(9)])), head=["c"])
    assert len(page) < 65_536
    assert "7 more diffs do not fit here" in page
    assert page.count("<details>") == page.count("</details>") == 2
