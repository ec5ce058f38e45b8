"""Test that replicas divide targets evenly, and move few of them when one comes or goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.replicas.assignment import assigned, group_of

KEYS = [f"{account:012}/{region}" for account in range(100) for region in ("us-east-1", "eu-west-1", "ap-south-1")]


@given(st.sets(st.text(min_size=1), max_size=40), st.sets(st.integers(0, 2**24 - 1), min_size=1, max_size=9))
def test_each_target_belongs_to_one_replica_and_none_has_two_more_than_another(
    keys: set[str], replicas: set[int]
) -> None:
    shares = [assigned(keys, replicas, replica) for replica in sorted(replicas)]
    assert sorted(key for share in shares for key in share) == sorted(keys)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(st.permutations([11, 22, 33, 44]), st.permutations(KEYS[:7]))
def test_the_order_in_which_replicas_and_targets_are_seen_changes_nothing(replicas: list[int], keys: list[str]) -> None:
    assert assigned(keys, replicas, 22) == assigned(KEYS[:7], [11, 22, 33, 44], 22)


@pytest.mark.parametrize(
    ("before", "after"), [((1, 2, 3), (1, 2)), ((1, 2), (1, 2, 3)), ((1, 2, 3, 4), (1, 2, 3, 4, 5))]
)
def test_few_targets_move_when_a_replica_comes_or_goes(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    def holder(replicas: tuple[int, ...]) -> dict[str, int]:
        return {key: replica for replica in replicas for key in assigned(KEYS, replicas, replica)}

    old, new = holder(before), holder(after)
    moved = sum(old[key] != new[key] for key in KEYS)
    # At least those of the replica that went, or of the one that came, must move.
    needed = len(KEYS) // max(len(before), len(after))
    assert needed <= moved <= 1.5 * needed


def test_only_equal_targets_make_a_group() -> None:
    assert group_of(["a", "b"]) == group_of(["b", "a"]) != group_of(["a"])
    assert 0 <= group_of([]) < 2**24
