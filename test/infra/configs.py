"""The configs that the tests are about."""

from typing import Any

import yaml

from infra.app import ROOT
from infra.config.resources import MAX_RUNTIMES

SDWEBUI = {"name": "sdruntime", "namespace": "default", "type": "sdwebui", "modelFilename": "v1-5-pruned.safetensors"}
COMFYUI = {"name": "comfy", "namespace": "comfy", "type": "comfyui"}
INVOKEAI = {"name": "invoke", "namespace": "invoke", "type": "invokeai"}

OWN_CHARTS = "https://charts.example"

CACHED_IMAGES = {"karpenter": {"nodeTemplate": {"dataVolume": {"snapshotID": "snap-0123456789"}}}}

ONE: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text())
"""The repository's own config, with one runtime."""

THREE: dict[str, Any] = {
    **ONE,
    "modelsRuntime": [*ONE["modelsRuntime"], COMFYUI, {**INVOKEAI, "chartRepository": OWN_CHARTS}],
}
"""One runtime of each type, and all else as in ONE."""

EVERYTHING: dict[str, Any] = {
    "stackName": "other",
    "modelBucketArn": "arn:aws:s3:::models",
    "modelsRuntime": [
        {**SDWEBUI, "dynamicModel": True, "extraValues": CACHED_IMAGES},
        {**COMFYUI, "chartRepository": "oci://registry.example/charts/sd-on-eks", "chartVersion": "1.2.3"},
    ],
    "inputBuckets": ["photos", "masks"],
    "allowedLinkHosts": ["files.example.com", "10.1.0.0/16"],
    "outputRetentionDays": 30,
    "taskApi": {"retentionDays": 90, "pointInTimeRecovery": True},
    "outputVersioning": True,
    "images": {
        "mirror": "123456789012.dkr.ecr.us-east-1.amazonaws.com/library",
        "packageIndex": "https://packages.example/simple",
        "sourceHost": "https://git.example",
    },
    "taskTimeout": 900,
    "clusterComponents": {"instanceType": "m7i.large", "desiredCount": 3},
    "vpc": {"natGateways": 3, "flowLogs": True},
    "lambda": {"architecture": "x86_64", "reservedConcurrency": 20},
    "eks": {
        "publicAccessCidrs": ["203.0.113.0/24"],
        "adminArns": ["arn:aws:iam::123456789012:role/operators"],
        "controlPlaneLogs": ["audit"],
        "secretsEncryption": False,
    },
    "addOns": {"eksVersions": {"coredns": "v1.12.4-eksbuild.1"}, "observability": False, "tracing": False},
    "alarms": {
        "emails": ["operators@example.com"],
        "oldestMessageSeconds": 3600,
        "noPodsMinutes": 30,
        "deadLetters": 5,
        "failurePercent": 50,
        "failureTasks": 100,
        "throttledRequests": 100,
    },
    "dashboard": {"gpuHourPrice": 1.5},
}
"""Every switch in another position than the default's, but for those of UNWATCHED."""

SHARED: dict[str, Any] = {
    **THREE,
    "clients": [
        {"name": "default", "dailyQuota": 5000, "prefixes": ["output"]},
        {
            "name": "night-batch",
            "throttle": {"rateLimit": 2},
            "runtimes": ["comfy"],
            "prefixes": ["night", "shared/night"],
        },
    ],
}
"""Two clients, one of which is that of a stack without named ones."""

UNWATCHED: dict[str, Any] = {
    **ONE,
    "alarms": {"enabled": False},
    "dashboard": {"enabled": False},
    "images": {"build": False},
}

KIT = {"name": "kit", "namespace": "kit", "type": "imagekit"}

SIGNED: dict[str, Any] = {
    **ONE,
    "APIGW": {"auth": "AWS_IAM", "endpoint": "PRIVATE", "throttle": {"rateLimit": 5, "burstLimit": 7}},
    "inputBuckets": ["photos"],
    "taskPolicy": {"maxUpscaling": 2, "maxPixels": 1048576},
    "sync": {
        "imageKit": {"backend": "function", "memoryMb": 4096},
        "textToImage": {"backend": "sagemaker", "endpointName": "Jumpstart-SD", "path": "route"},
    },
}
"""Signed requests by a VPC endpoint, and all synchronous routes without a runtime."""

OPEN: dict[str, Any] = {
    **ONE,
    "APIGW": {
        "auth": "NONE",
        "stageName": "prod",
        "domain": {
            "name": "api.example.com",
            "certificateArn": "arn:aws:acm:us-west-2:123456789012:certificate/0a1b2c3d-1234-5678-9abc-0123456789ab",
        },
    },
    "modelsRuntime": [*ONE["modelsRuntime"], KIT],
    "sync": {"imageKit": {"runtime": "kit"}, "textToImage": {"runtime": "sdruntime"}},
}
"""An open API at a domain, and all synchronous routes by runtimes."""

CHINA: dict[str, Any] = {
    "stackName": "china",
    "modelBucketArn": "arn:aws-cn:s3:::models",
    "modelsRuntime": [{**SDWEBUI, "extraValues": CACHED_IMAGES}, COMFYUI],
    "inputBuckets": ["photos"],
    "images": {"build": True, "mirror": "123456789012.dkr.ecr.cn-northwest-1.amazonaws.com.cn/library"},
    "addOns": {
        "gpuMetrics": True,
        "imageRegistry": "123456789012.dkr.ecr.cn-northwest-1.amazonaws.com.cn",
        "karpenter": {"chartRepository": "oci://123456789012.dkr.ecr.cn-northwest-1.amazonaws.com.cn/charts"},
        "keda": {"chartRepository": "https://charts.example.cn", "chartVersion": "2.20.1"},
    },
}

MOST: dict[str, Any] = {
    **EVERYTHING,
    "stackName": "most",
    "eks": {},
    "addOns": {},
    "images": {},
    "modelsRuntime": [
        {
            "name": f"runtime-{number}",
            "namespace": "runtimes",
            "type": "sdwebui",
            "modelFilename": f"sd_xl_base_{number}.safetensors",
            "extraValues": CACHED_IMAGES,
        }
        for number in range(MAX_RUNTIMES)
    ],
}
"""As many runtimes as a stack holds, with everything on that makes it larger."""

REGIONS = {"everything": "us-east-1", "china": "cn-northwest-1", "open": "us-west-2"}
"""Where a config is for; the others are for any region."""
