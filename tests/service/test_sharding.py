"""Test that each target belongs to exactly one shard, whatever the other targets are, and always to the same one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.aws.sessions import Role
from exporter.config import Config, ConfigError, load
from exporter.ledger.accounting import Reading
from exporter.ledger.opening import open_ledger
from exporter.training.job import TrainingJob
from exporter.wiring.targets import TargetSpec, target_specs

REGIONS = ("us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1", "ap-south-1")
ACCOUNTS = st.sampled_from(["", *(f"{number:012d}" for number in range(1, 40))])
NOW, DAY = 1_700_000_000.0, 86400.0


def config(targets: dict[str, list[str]], index: int, total: int) -> Config:
    found = [
        {"regions": regions, **({"role_arn": f"arn:aws:iam::{account}:role/x"} if account else {})}
        for account, regions in targets.items()
    ]
    return Config.model_validate({"targets": found, "sharding": {"index": index, "total": total}})


@given(
    st.dictionaries(ACCOUNTS, st.lists(st.sampled_from(REGIONS), unique=True, min_size=1), min_size=1, max_size=20),
    st.integers(1, 12),
)
def test_the_shards_share_all_targets_and_have_none_in_common(targets: dict[str, list[str]], total: int) -> None:
    shares = [target_specs(config(targets, index, total)) for index in range(total)]
    found = Counter(spot for share in shares for spot in share)
    assert set(found) == set(target_specs(config(targets, 0, 1)))
    assert set(found.values()) == {1}
    assert sum(found.values()) == sum(map(len, targets.values()))


@given(st.integers(2, 12), st.integers(100, 999), st.sampled_from(REGIONS), st.sets(st.integers(0, 99), max_size=4))
def test_a_target_s_shard_depends_on_nothing_but_itself(
    total: int, number: int, region: str, neighbours: set[int]
) -> None:
    account = f"{number:012d}"
    others = {f"{neighbour:012d}": list(REGIONS) for neighbour in neighbours}

    def shard(targets: dict[str, list[str]]) -> list[int]:
        def has(index: int) -> bool:
            return any(
                spot.role and (spot.role.account, spot.region) == (account, region)
                for spot in target_specs(config(targets, index, total))
            )

        return [index for index in range(total) if has(index)]

    assert shard({account: [region]}) == shard({**others, account: [region]})


@pytest.mark.parametrize(
    ("account", "region", "of_two", "of_five", "of_sixteen"),
    [
        ("", "us-east-1", 1, 3, 3),
        ("123456789012", "us-east-1", 1, 3, 13),
        ("123456789012", "eu-west-1", 0, 3, 8),
        ("210987654321", "ap-northeast-1", 1, 2, 5),
    ],
)
def test_shards_stay_what_they_are_over_versions(
    account: str, region: str, of_two: int, of_five: int, of_sixteen: int
) -> None:
    found = [
        next(index for index in range(total) if target_specs(config({account: [region]}, index, total)))
        for total in (2, 5, 16)
    ]
    assert found == [of_two, of_five, of_sixteen]


def test_the_role_s_name_does_not_matter_to_the_shard() -> None:
    (one,) = target_specs(Config.model_validate({"targets": [{"regions": ["us-east-1"]}]}))
    assert one == TargetSpec("us-east-1", None)
    arns = [f"arn:aws:iam::123456789012:role/{name}" for name in ("a", "path/b")]
    shards = set()
    for arn in arns:
        for index in range(7):
            target = {"regions": ["us-east-1"], "role_arn": arn, "session_name": arn[-1] * 3}
            sharding = {"index": index, "total": 7}
            if target_specs(Config.model_validate({"targets": [target], "sharding": sharding})):
                shards.add(index)
    assert len(shards) == 1


def test_many_targets_are_shared_about_evenly() -> None:
    targets = {f"{number:012d}": list(REGIONS) for number in range(100)}
    shares = [len(target_specs(config(targets, index, 6))) for index in range(6)]
    assert sum(shares) == 600
    assert min(shares) > 75
    assert max(shares) < 125


def test_the_pods_of_a_stateful_set_share_the_targets(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"targets: [{{regions: [{', '.join(REGIONS)}]}}]\nsharding: {{total: 3}}\n")
    pods = [f"sagemaker-exporter-{number}" for number in range(3)]
    found = [spot.region for pod in pods for spot in target_specs(load(str(path), {"HOSTNAME": pod}))]
    assert sorted(map(str, found)) == sorted(REGIONS)
    with pytest.raises(ConfigError, match="too few shards for the index 3"):
        load(str(path), {"HOSTNAME": "sagemaker-exporter-3"})


def _ended(name: str, ended: float) -> Reading:
    job = TrainingJob(
        account="123456789012",
        region="us-east-1",
        name=name,
        status="Completed",
        created=ended - 60,
        ended=ended,
        training_seconds=60.0,
    )
    return Reading.of(job, settled=True)


async def test_a_target_that_moves_to_another_shard_counts_from_that_shard_s_first_start(tmp_path: Path) -> None:
    target, now = ("123456789012", "us-east-1"), [NOW]
    async with open_ledger(str(tmp_path / "older-shard.db"), lambda: now[0]):
        pass
    now[0] = NOW + 30 * DAY
    jobs = [_ended(f"job-{day}", NOW + day * DAY) for day in (-1, 10, 20, 31)]
    finished = {}
    for shard in ("older-shard", "new-shard"):
        async with open_ledger(str(tmp_path / f"{shard}.db"), lambda: now[0]) as ledger:
            await ledger.begin(target)
            await ledger.apply(jobs)
            finished[shard] = sum(
                series.true[0] / 1000
                for key, series in ledger.totals(target).items()
                if key.family == "sagemaker_training_jobs_finished_total"
            )
    assert finished == {"older-shard": 3, "new-shard": 1}


def test_roles_show_nothing_of_themselves() -> None:
    role = Role("arn:aws:iam::123456789012:role/secret", "an external id")
    assert "secret" not in repr(TargetSpec("us-east-1", role))
    assert "external id" not in repr(role)
