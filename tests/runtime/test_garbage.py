from __future__ import annotations

import gc

from gitopsd.runtime import garbage


def test_what_survived_a_full_collection_is_not_looked_at_again() -> None:
    with garbage.tamed():
        kept = [[number] for number in range(1000)]
        gc.collect()
        frozen = gc.get_freeze_count()

        assert frozen > len(kept)
        assert len(gc.get_objects()) < 1000

    assert gc.get_freeze_count() == 0


def test_the_process_is_left_as_it_was() -> None:
    before = gc.get_threshold(), list(gc.callbacks)

    with garbage.tamed():
        assert gc.get_threshold() != before[0]

    assert (gc.get_threshold(), list(gc.callbacks)) == before
