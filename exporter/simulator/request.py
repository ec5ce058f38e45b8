"""Build the fields of a CreateTrainingJob request, which a job keeps unchanged."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from exporter.simulator.life import Group

Wire = dict[str, Any]

INSTANCE_TYPES = (
    "ml.m5.xlarge",
    "ml.c5.2xlarge",
    "ml.g4dn.xlarge",
    "ml.g5.2xlarge",
    "ml.g5.12xlarge",
    "ml.p3.2xlarge",
    "ml.p4d.24xlarge",
    "ml.trn1.2xlarge",
)
IMAGES = (
    "pytorch-training:2.3.0-gpu-py311-cu121-ubuntu20.04-sagemaker",
    "tensorflow-training:2.14.1-gpu-py310-cu118-ubuntu20.04-sagemaker",
    "huggingface-pytorch-training:2.1.0-transformers4.36.0-gpu-py310-cu121-ubuntu20.04",
    "sagemaker-xgboost:1.7-1",
)
TEAMS = ("vision", "language", "forecasting", "recommendations")


def plain(rng: random.Random, account: str, region: str, groups: Sequence[Group]) -> Wire:
    """Return a request that uses only common fields."""
    bucket = f"s3://sagemaker-{region}-{account}"
    return {
        "HyperParameters": {
            "epochs": str(rng.randint(1, 90)),
            "learning_rate": f"{rng.choice((1, 3, 5))}e-{rng.randint(2, 5)}",
            "batch_size": str(2 ** rng.randint(4, 9)),
        },
        "AlgorithmSpecification": {
            "TrainingImage": f"763104351884.dkr.ecr.{region}.amazonaws.com/{rng.choice(IMAGES)}",
            "TrainingInputMode": rng.choice(("File", "File", "FastFile", "Pipe")),
            "MetricDefinitions": [
                {"Name": "train:loss", "Regex": "train_loss=([0-9.e+-]+)"},
                {"Name": "validation:accuracy", "Regex": "val_acc=([0-9.]+)"},
            ],
            "EnableSageMakerMetricsTimeSeries": True,
        },
        "RoleArn": f"arn:aws:iam::{account}:role/service-role/AmazonSageMaker-ExecutionRole",
        "InputDataConfig": [_channel(bucket, name) for name in ("train", "validation")],
        "OutputDataConfig": {"KmsKeyId": "", "S3OutputPath": f"{bucket}/models"},
        "ResourceConfig": resource_config(groups, rng.choice((30, 50, 100, 500))),
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
        "ProfilingStatus": "Disabled",
    }


def resource_config(groups: Sequence[Group], volume: int) -> Wire:
    """Return the ResourceConfig for these instances. Groups with names make a heterogeneous cluster."""
    if any(group.name for group in groups):
        members = [
            {
                "InstanceType": group.instance_type,
                "InstanceCount": group.count,
                "InstanceGroupName": group.name,
            }
            for group in groups
        ]
        return {"VolumeSizeInGB": volume, "InstanceGroups": members}
    (group,) = groups
    return {
        "InstanceType": group.instance_type,
        "InstanceCount": group.count,
        "VolumeSizeInGB": volume,
    }


def groups_of(config: Wire) -> tuple[Group, ...]:
    """Return the instances that a ResourceConfig requests; of InstancePreferences, the first one."""
    if members := config.get("InstanceGroups"):
        return tuple(
            Group(member["InstanceType"], member["InstanceCount"], member["InstanceGroupName"]) for member in members
        )
    if preferences := config.get("InstancePreferences"):
        first = preferences[0]
        return (Group(first["InstanceType"], first.get("InstanceCount", config.get("InstanceCount", 1))),)
    return (Group(config["InstanceType"], config.get("InstanceCount", 1)),)


def tags(rng: random.Random) -> dict[str, str]:
    """Return tags as a team with a tagging policy sets them."""
    team = rng.choice(TEAMS)
    return {
        "team": team,
        "project": f"{team}-{rng.choice(('ranking', 'baseline', 'refresh'))}",
        "environment": rng.choice(("production", "staging", "research")),
        "cost-center": str(4000 + TEAMS.index(team)),
    }


def with_extras(rng: random.Random, account: str, region: str, spec: Wire) -> Wire:
    """Return the request with some optional settings: VPC, encryption, experiment, checkpoints, environment."""
    extras = _extras(account, region)
    for name in sorted(extras):
        if rng.random() < 0.3:
            spec = {**spec, **extras[name]}
    return spec


def _extras(account: str, region: str) -> dict[str, Wire]:
    key = f"arn:aws:kms:{region}:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    bucket = f"s3://sagemaker-{region}-{account}"
    return {
        "checkpoint": {"CheckpointConfig": {"S3Uri": f"{bucket}/checkpoints", "LocalPath": "/opt/ml/checkpoints"}},
        "encryption": {"EnableInterContainerTrafficEncryption": True},
        "environment": {"Environment": {"WANDB_MODE": "online", "WANDB_API_KEY": "0f1e2d3c4b5a69788796a5b4c3d2e1f0"}},
        "experiment": {
            "ExperimentConfig": {
                "ExperimentName": "ranking",
                "TrialName": "ranking-larger-batch",
                "TrialComponentDisplayName": "Training",
            }
        },
        "isolation": {"EnableNetworkIsolation": True},
        "output_key": {"OutputDataConfig": {"KmsKeyId": key, "S3OutputPath": f"{bucket}/models"}},
        "remote_debug": {"RemoteDebugConfig": {"EnableRemoteDebug": True}},
        "tensorboard": {
            "TensorBoardOutputConfig": {
                "LocalPath": "/opt/ml/output/tensorboard",
                "S3OutputPath": f"{bucket}/tb",
            }
        },
        "vpc": {
            "VpcConfig": {
                "SecurityGroupIds": ["sg-0123456789abcdef0"],
                "Subnets": ["subnet-0123456789abcdef0"],
            }
        },
    }


def _channel(bucket: str, name: str) -> Wire:
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": f"{bucket}/data/{name}",
                "S3DataDistributionType": "FullyReplicated",
            }
        },
        "CompressionType": "None",
        "RecordWrapperType": "None",
    }
