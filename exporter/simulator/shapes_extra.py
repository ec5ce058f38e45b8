"""Define shapes of jobs that another service started, or that use rare features."""

from __future__ import annotations

import math
from dataclasses import replace

from exporter.simulator.casting import Casting, pending, queued, usual, with_limits, with_resources, with_spec
from exporter.simulator.life import Life, Metric, Phase, Rule, Serverless

PENDING_LIMIT = 7200


def tuning(cast: Casting) -> tuple[Life, ...]:
    """Return a training job of a hyperparameter tuning job."""
    name = f"tune-xgboost-{cast.serial % 4}"
    life = usual(cast, name)
    return (with_spec(life, TuningJobArn=cast.arn("hyper-parameter-tuning-job", name)),)


def automl(cast: Casting) -> tuple[Life, ...]:
    """Return a training job of an AutoML job."""
    return (with_spec(usual(cast, "automl-churn"), AutoMLJobArn=cast.arn("automl-job", "churn")),)


def labeling(cast: Casting) -> tuple[Life, ...]:
    """Return a training job of a labeling job."""
    return (with_spec(usual(cast, "labeling-boxes"), LabelingJobArn=cast.arn("labeling-job", "boxes")),)


def experiment(cast: Casting) -> tuple[Life, ...]:
    """Return a run of an experiment on a scarce instance type, which waits in Pending with a limit."""
    config = {
        "ExperimentName": "click-rate",
        "TrialName": f"trial-{cast.serial % 5}",
        "RunName": f"run-{cast.serial}",
    }
    life = with_limits(usual(cast, "experiment"), MaxPendingTimeInSeconds=PENDING_LIMIT)
    return (with_spec(replace(life, phases=(*queued(life.phases[0]), *life.phases[1:])), ExperimentConfig=config),)


def marketplace(cast: Casting) -> tuple[Life, ...]:
    """Return a job that uses an algorithm resource instead of an image."""
    life = usual(cast, "marketplace")
    spec = {"AlgorithmName": cast.arn("algorithm", "boosted-trees"), "TrainingInputMode": "File"}
    return (with_spec(life, AlgorithmSpecification=spec),)


def training_plan(cast: Casting) -> tuple[Life, ...]:
    """Return a job in a training plan, which waits in Pending for its reserved capacity."""
    life = usual(cast, "planned")
    life = replace(life, phases=(pending(cast), *life.phases))
    life = with_resources(life, TrainingPlanArn=cast.arn("training-plan", "p5-for-language-models"))
    return (with_limits(life, MaxPendingTimeInSeconds=PENDING_LIMIT),)


def debugged(cast: Casting) -> tuple[Life, ...]:
    """Return a job with debugger and profiler rules, some of which end minutes after the job."""
    own = cast.own_rng("rules")
    stopped, reported = own.uniform(200, 600) * cast.pace, own.uniform(100, 200) * cast.pace
    rules = (
        Rule("debugger", "VanishingGradient", "IssuesFound", "RuleEvaluationConditionMet: at step 120"),
        Rule("debugger", "LossNotDecreasing", cast.rng.choice(("NoIssuesFound", "Error"))),
        Rule("debugger", "Overfit", "Stopped", after=stopped, meanwhile="Stopping"),
        Rule("profiler", f"ProfilerReport-{int(cast.created)}", "NoIssuesFound", after=reported),
    )
    image = f"503895931360.dkr.ecr.{cast.region}.amazonaws.com/sagemaker-debugger-rules:latest"
    output = f"s3://sagemaker-{cast.region}-{cast.account}/debugger"

    def configurations(kind: str) -> list[dict[str, str]]:
        return [
            {"RuleConfigurationName": rule.name, "RuleEvaluatorImage": image} for rule in rules if rule.kind == kind
        ]

    life = with_spec(
        usual(cast, "debugged"),
        DebugHookConfig={"S3OutputPath": output, "CollectionConfigurations": [{"CollectionName": "losses"}]},
        DebugRuleConfigurations=configurations("debugger"),
        ProfilerConfig={
            "S3OutputPath": output,
            "ProfilingIntervalInMilliseconds": 500,
            "DisableProfiler": False,
        },
        ProfilerRuleConfigurations=configurations("profiler"),
        ProfilingStatus="Enabled",
    )
    return (replace(life, rules=rules),)


def serverless(cast: Casting) -> tuple[Life, ...]:
    """Return a serverless fine-tuning job: without instances, with its progress, and billed by tokens."""
    life = usual(cast, "finetune")
    base = f"arn:aws:sagemaker:{cast.region}:aws:hub-content/SageMakerPublicHub/Model/small-language-model/1.0.0"
    removed = ("AlgorithmSpecification", "ResourceConfig", "ProfilingStatus")
    spec = {
        **{name: value for name, value in life.spec.items() if name not in removed},
        "ServerlessJobConfig": {
            "BaseModelArn": base,
            "AcceptEula": True,
            "JobType": "FineTuning",
            "CustomizationTechnique": cast.rng.choice(("SFT", "DPO")),
            "Peft": "LORA",
        },
        "ModelPackageConfig": {"ModelPackageGroupArn": cast.arn("model-package-group", "finetuned")},
        "MlflowConfig": {
            "MlflowResourceArn": cast.arn("mlflow-tracking-server", "shared"),
            "MlflowExperimentName": "finetuning",
        },
        "MlflowDetails": {"MlflowExperimentId": "7", "MlflowRunId": f"run{cast.serial}"},
    }
    work = Serverless(
        steps_per_epoch=cast.rng.randint(20, 500),
        max_epoch=cast.rng.randint(1, 5),
        tokens=cast.rng.randint(10**5, 10**9),
        output_model_package=cast.arn("model-package", f"finetuned/{cast.serial + 1}"),
    )
    return (replace(life, spec=spec, groups=(), serverless=work, billable_ratio=None),)


def many_metrics(cast: Casting) -> tuple[Life, ...]:
    """Return a job with the largest allowed number of final metrics; some are not finite, some come twice."""
    rng = cast.rng
    metrics = tuple(Metric(f"validation:ndcg@{rank}", rng.random(), 40.0 - rank) for rank in range(1, 35))
    odd = (
        Metric("train:loss", math.nan, 5),
        Metric("train:perplexity", math.inf, 4),
        Metric("train:log_likelihood", -math.inf, 3),
        Metric("validation:ndcg@1", rng.random(), 2),
        Metric("validation:ndcg@1", rng.random(), 1),
        Metric('größe "δ"\\n', 1e-12),
    )
    return (replace(usual(cast, "many-metrics"), metrics=metrics + odd),)


def odd_text(cast: Casting) -> tuple[Life, ...]:
    """Return a job with texts that are long, not ASCII, or contain quotes, newlines and secrets."""
    life = usual(cast, "odd-text")
    parameters = {
        "beschreibung": "Größe «groß» 訓練 🚀 " + "x" * 2000,
        "quoted": 'a "quoted" \\ value\nand a second line',
        "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    }
    return (replace(with_spec(life, HyperParameters=parameters), tags={**life.tags, "Straße/été:x=1": "日本語 value"}),)


def strange(cast: Casting) -> tuple[Life, ...]:
    """Return a job with undocumented statuses."""
    life = usual(cast, "strange")
    unknown = (
        Phase("Hibernating", cast.seconds(120, 600), "Hibernating", job_status="InProgress"),
        Phase("Warping", cast.seconds(120, 600), "Warping", on_instances=True, job_status="Suspended"),
    )
    return (replace(life, phases=(*life.phases[:2], *unknown, *life.phases[2:])),)
