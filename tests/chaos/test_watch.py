"""Test that the watch over replicas finds what it is for, and nothing else."""

from __future__ import annotations

from tests.chaos.watch import Fault, Gap, Scrape, Stall, gaps, gone_down, shown_twice, too_long

ONE, OTHER = ("111122223333", "us-east-1"), ("111122223333", "eu-west-1")
SERIES = ("sagemaker_training_jobs_created_total", ())


def scrape(replica: str, began: float, *targets: tuple[str, str], value: float = 1.0, took: float = 0.1) -> Scrape:
    return Scrape(replica, began, began + took, {target: {SERIES: value} for target in targets})


def test_a_target_that_two_replicas_show_is_found() -> None:
    holder = [scrape("a", 1, ONE), scrape("a", 1.5, ONE)]
    found = shown_twice([*holder, scrape("b", 1.2, ONE)])
    assert found == ["111122223333/us-east-1 is shown by b at 1.20, and held by a"]


def test_a_target_that_moves_between_two_scrapes_is_in_order() -> None:
    moved = [scrape("a", 1, ONE), scrape("b", 1.01, ONE), scrape("a", 1.5, OTHER), scrape("b", 1.5, ONE)]
    assert shown_twice([*moved, scrape("b", 1.2, OTHER), scrape("b", 0.5)]) == []


def test_a_slow_scrape_may_have_been_true_before() -> None:
    assert shown_twice([scrape("a", 1, ONE), scrape("b", 0.5, ONE, took=1), scrape("a", 2, ONE)]) == []


def test_a_lower_total_of_another_replica_is_found() -> None:
    found = gone_down([scrape("a", 1, ONE, value=5), scrape("b", 2, ONE, value=4), scrape("b", 3, OTHER, value=1)])
    assert found == [f"111122223333/us-east-1 {SERIES} was 5, b shows 4"]


def test_a_lower_total_may_be_shown_while_the_higher_one_is() -> None:
    assert gone_down([scrape("a", 1, ONE, value=5, took=2), scrape("b", 2, ONE, value=4, took=2)]) == []


def test_gaps_are_counted_until_the_end() -> None:
    found = gaps([scrape("a", 1, ONE, took=0), scrape("b", 4, ONE, took=0), scrape("a", 2, took=0)], [ONE], 6)
    assert found == [Gap(ONE, 1, 4), Gap(ONE, 4, 6)]


def test_a_gap_that_no_fault_explains_is_found() -> None:
    kill, stop = Fault(10, "kill", 15), Fault(20, "stop", 25)
    assert too_long([Gap(ONE, 1, 3), Gap(ONE, 10, 24)], [kill], usual=2, stalls=[]) == []
    assert too_long([Gap(ONE, 1, 4)], [kill], usual=2, stalls=[]) == [
        "111122223333/us-east-1 was missing for 3.0 s after no reason"
    ]
    wrong = too_long([Gap(ONE, 9.5, 25.5)], [kill], usual=2, stalls=[])
    assert wrong == ["111122223333/us-east-1 was missing for 16.0 s after kill"]
    assert too_long([Gap(ONE, 9.5, 44)], [kill, stop], usual=2, stalls=[]) == []
    assert len(too_long([Gap(ONE, 9.5, 46)], [kill, stop], usual=2, stalls=[])) == 1


def test_what_stalls_the_test_does_not_count() -> None:
    kill, gap = Fault(10, "kill", 15), Gap(ONE, 9.5, 27)
    assert too_long([gap], [kill], 2, [Stall(12, 1.5), Stall(20, 0.6)]) == []
    assert len(too_long([gap], [kill], 2, [Stall(12, 1.5), Stall(28, 9), Stall(5, 9)])) == 1
