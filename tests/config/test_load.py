from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydantic
import pytest

from exporter.config import Address, Config, ConfigError, Jobs, Sharding, TargetConfig, Web, load
from exporter.config.pattern import Pattern

Write = Callable[[str], str]

ROLE = "arn:aws:iam::123456789012:role/sagemaker-exporter"


def test_without_a_file_everything_has_its_default() -> None:
    config = load(None, {})
    assert config == Config()
    assert config.web.listen_address == Address("", 9841)
    assert config.targets == (TargetConfig.model_construct(regions=()),)
    assert config.targets[0].account_id is None
    assert config.polling.lookback == 30 * 86400
    assert config.jobs.selects("any-job")
    assert not config.jobs.disables("sagemaker_training_job_info")
    assert (config.sharding.index, config.sharding.total) == (0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "---\n",
        "{}",
        "web:\npolling:\ntargets:\njobs:\ntotals:\nprices:\ncloudwatch:\nstate:\nsharding:\n",
    ],
)
def test_empty_files_and_sections_are_defaults(write: Write, text: str) -> None:
    assert load(write(text), {}) == Config()


def test_reads_every_kind_of_value(write: Write) -> None:
    config = load(
        write(f"""
polling: {{active_interval: 1h30m, list_rps: 2, strategy: search, max_concurrency: 5}}
targets:
- regions: &regions [us-east-1, us-gov-west-1, cn-north-1, eusc-de-east-1]
- regions: *regions
  role_arn: {ROLE}
  external_id: "12345"
  session_name: me@home
jobs: {{include: "a.*|b", exclude: "a-bad", retention: 0, tags: ["*"], disabled_metrics: ["sagemaker_*_info"]}}
totals: {{backfill: 7d, by_tags: [team, "aws:createdBy"]}}
state: {{path: totals.db}}
"""),
        {},
        known_metrics=["sagemaker_training_job_info"],
    )
    assert config.polling.active_interval == 5400.0
    assert config.polling.list_rps == 2.0
    assert config.targets[0].regions == config.targets[1].regions
    assert config.targets[1].role_arn == ROLE
    assert config.targets[1].account_id == "123456789012"
    assert config.targets[1].session_name == "me@home"
    assert config.jobs.retention == 0.0
    assert config.jobs.tags == ("*",)
    assert config.totals.by_tags == ("team", "aws:createdBy")
    assert config.state.path == "totals.db"


@pytest.mark.parametrize(
    ("name", "selected"),
    [("train-1", True), ("x-train-1", False), ("train-1-debug", False), ("train-1-debugger", True)],
)
def test_patterns_match_whole_names(write: Write, name: str, selected: bool) -> None:
    jobs = load(write('jobs: {include: "train|train-.*", exclude: ".*-debug"}'), {}).jobs
    assert jobs.selects(name) is selected


def test_disabled_metrics_are_globs(write: Write) -> None:
    jobs = load(write("jobs: {disabled_metrics: [sagemaker_training_job_phase_*, a_b]}"), {}).jobs
    assert jobs.disables("sagemaker_training_job_phase_seconds")
    assert jobs.disables("a_b")
    assert not jobs.disables("a_b_c")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":0", Address("", 0)),
        ("127.0.0.1:9841", Address("127.0.0.1", 9841)),
        ("localhost:80", Address("localhost", 80)),
        ("[::1]:9841", Address("::1", 9841)),
        ("[0:0::0]:65535", Address("::", 65535)),
    ],
)
def test_addresses(write: Write, text: str, address: Address) -> None:
    assert load(write(f'web: {{listen_address: "{text}"}}'), {}).web.listen_address == address
    assert load(None, {}, overrides={"web.listen_address": str(address)}).web.listen_address == address


def test_several_addresses(write: Write) -> None:
    both = (Address("127.0.0.1", 9841), Address("::1", 9841))
    assert load(write('web: {listen_address: ["127.0.0.1:9841", "[::1]:9841"]}'), {}).web.listen_addresses == both
    overrides = {"web.listen_address": ["127.0.0.1:9841", "[::1]:9841"]}
    assert load(write('web: {listen_address: ":1"}'), {}, overrides=overrides).web.listen_addresses == both
    assert load(write('web: {listen_address: [":0", ":0"]}'), {}).web.listen_addresses == (Address("", 0),) * 2
    assert load(write('web: {listen_address: ":1"}'), {}).web.listen_addresses == (Address("", 1),)


@pytest.mark.parametrize(
    ("web", "prefix", "path"),
    [
        ({}, "", None),
        ({"external_url": "https://example.org"}, "", ""),
        ({"external_url": "http://example.org:8080/"}, "", ""),
        ({"external_url": "http://[::1]:80/a/b/"}, "/a/b", "/a/b"),
        ({"external_url": "https://example.org/a", "route_prefix": "/"}, "", "/a"),
        ({"external_url": "https://example.org/a", "route_prefix": "/b/"}, "/b", "/a"),
        ({"route_prefix": "/api/v1/services/http:sm:9841/proxy"}, "/api/v1/services/http:sm:9841/proxy", None),
    ],
)
def test_the_prefix_is_the_path_of_the_external_url_unless_it_is_given(
    web: dict[str, str], prefix: str, path: str | None
) -> None:
    config = load(None, {}, overrides={f"web.{key}": value for key, value in web.items()})
    assert (config.web.prefix, config.web.external_path) == (prefix, path)


@pytest.mark.parametrize(
    "role",
    [
        "arn:aws-cn:iam::123456789012:role/a",
        "arn:aws-us-gov:iam::123456789012:role/a/deep/path/name+=,.@-_",
        "arn:aws-iso-b:iam::123456789012:role/a",
    ],
)
def test_roles_of_every_partition(write: Write, role: str) -> None:
    target = load(write(f"targets: [{{regions: [us-east-1], role_arn: '{role}'}}]"), {}).targets[0]
    assert (target.role_arn, target.account_id) == (role, "123456789012")


def test_nothing_shows_a_secret(write: Write) -> None:
    config = load(write(f"targets: [{{regions: [us-east-1], role_arn: '{ROLE}', external_id: hunter22}}]"), {})
    assert "hunter22" not in f"{config} {config!r} {config.targets[0]}"
    assert ROLE not in repr(config)
    assert config.targets[0].external_id == pydantic.SecretStr("hunter22")


def test_a_configuration_does_not_change() -> None:
    web, key = Config().web, "telemetry_path"
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        setattr(web, key, "/other")


def test_flags_stand_above_the_file(write: Write) -> None:
    name = write('web: {listen_address: ":1", telemetry_path: /a}\njobs: {retention: 5m}')
    config = load(name, {}, overrides={"web.listen_address": ":2"})
    assert config.web.listen_address == Address("", 2)
    assert config.web.telemetry_path == "/a"
    assert config.jobs.retention == 300.0


@pytest.mark.parametrize("text", ["", "web:", "jobs: {}"])
def test_flags_need_no_section(write: Write, text: str) -> None:
    assert load(write(text), {}, overrides={"web.telemetry_path": "/m"}).web.telemetry_path == "/m"


@pytest.mark.parametrize(
    ("text", "environ", "index"),
    [
        ("sharding: {total: 4}", {"HOSTNAME": "sagemaker-exporter-3"}, 3),
        ("sharding: {total: 4}", {"POD_NAME": "x-1", "HOSTNAME": "x-2"}, 1),
        ("sharding: {total: 4}", {"POD_NAME": "", "HOSTNAME": "x-2"}, 2),
        ("sharding: {total: 4, index:}", {"HOSTNAME": "x-2"}, 2),
        ("sharding: {total: 4, index: 0}", {"HOSTNAME": "x-2"}, 0),
        ("sharding: {total: 1}", {"HOSTNAME": "x-2"}, 0),
        ("sharding:", {"HOSTNAME": "x-2"}, 0),
    ],
)
def test_the_index_of_a_shard(write: Write, text: str, environ: dict[str, str], index: int) -> None:
    assert load(write(text), environ).sharding.index == index


def test_records_can_be_built_in_code() -> None:
    sharding = Sharding(index=1, total=2)
    config = Config(
        sharding=sharding,
        targets=(TargetConfig(regions=("us-east-1",), role_arn=ROLE, external_id=pydantic.SecretStr("12")),),
        web=Web(listen_address=Address("::1", 1)),
        jobs=Jobs(include=Pattern("a"), retention=7.5),
    )
    assert config.sharding is sharding
    assert config.jobs.selects("a")
    assert config.web.listen_addresses[0].port == 1
    assert config.jobs.retention == 7.5


def test_a_relative_state_path_is_relative_to_the_working_directory(write: Write) -> None:
    Path("data").mkdir()
    assert load(write("state: {path: data/x.db}"), {}).state.path == "data/x.db"


def test_problems_have_key_path_line_and_column(write: Write) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write("polling:\n  settle:  soon\njob: {}"), {}, overrides={"web.telemetry_path": "x"})
    flag, settle, job = caught.value.problems
    assert (flag.path, flag.line, flag.column) == ("--web.telemetry-path", None, None)
    assert (settle.file, settle.path, settle.line, settle.column) == ("config.yaml", "polling.settle", 2, 12)
    assert settle.message == '"soon" is not a duration'
    assert settle.allowed == "a Prometheus duration such as 30s, 5m, 1h30m, 7d"
    assert (job.path, job.line, job.column) == ("job", 3, 1)
