"""PURE. Whose change a change is: ours, or the server's (a default, a webhook, a value that it writes in another way).

Between what is live and what the server predicts lies the state that our own change alone would make: what we send laid over
what is live, without the fields that go because we do not state them any more. From live to there it is ours; from there to the
prediction it is the server's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gitopsd.model.manifest import Body
from gitopsd.reconcile import items


class Absent:
    """No value at all. A field that is null counts as absent too."""


ABSENT: Final = Absent()


def ours_alone(live: Body | None, sent: Body, predicted: Body) -> Body:
    """The object as it would be if the server did nothing but what we ask."""
    found = _between(ABSENT if live is None else live, sent, predicted)
    return found if isinstance(found, Mapping) else {}


def estimated(live: Body | None, sent: Body) -> Body:
    """What we send laid over what is live: the best guess where no dry run tells better. Nothing is removed by it."""
    found = _laid_over(ABSENT if live is None else live, sent)
    return found if isinstance(found, Mapping) else {}


def _between(live: Any, sent: Any, predicted: Any) -> Any:
    live, sent, predicted = (ABSENT if value is None else value for value in (live, sent, predicted))
    if live is not ABSENT and live == predicted:
        return live
    if sent is ABSENT:
        return ABSENT if predicted is ABSENT else live
    if isinstance(sent, Mapping) and isinstance(predicted, Mapping):
        return _between_mappings(live if isinstance(live, Mapping) else {}, sent, predicted)
    if items.is_list(sent) and items.is_list(predicted):
        return _between_lists(live if items.is_list(live) else [], sent, predicted)
    return sent


def _between_mappings(live: Mapping[str, Any], sent: Mapping[str, Any], predicted: Mapping[str, Any]) -> Any:
    keys = dict.fromkeys((*predicted, *sent, *live))
    found = {key: _between(live.get(key), sent.get(key), predicted.get(key)) for key in keys}
    return {key: value for key, value in found.items() if value is not ABSENT}


def _between_lists(live: Any, sent: Any, predicted: Any) -> Any:
    if items.keyed(live, sent, predicted):
        mine, wanted, theirs = items.named(live, sent, predicted)
        names = dict.fromkeys((*theirs, *wanted, *mine))
        found = [_between(mine.get(name), wanted.get(name), theirs.get(name)) for name in names]
        return [value for value in found if value is not ABSENT]
    if all(item in predicted for item in sent):  # a set: others may have added to it
        return [item for item in predicted if item in sent or item in live]
    if len(sent) == len(predicted):
        before = [*live, *[ABSENT] * len(sent)]
        return [_between(*states) for states in zip(before, sent, predicted, strict=False)]
    return sent


def _laid_over(live: Any, sent: Any) -> Any:
    if sent is None or sent is ABSENT:
        return live
    if isinstance(live, Mapping) and isinstance(sent, Mapping):
        merged = {key: _laid_over(live.get(key), sent.get(key)) for key in dict.fromkeys((*live, *sent))}
        return {key: value for key, value in merged.items() if value is not None}
    if items.is_list(live) and items.is_list(sent) and items.keyed(live, sent):
        mine, wanted = items.named(live, sent)
        return [_laid_over(mine.get(name), wanted.get(name)) for name in dict.fromkeys((*mine, *wanted))]
    return sent
