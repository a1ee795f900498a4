"""Permissions, and for each that names more than one thing the reason why."""

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.acceptance import accept


def allow(
    role: iam.Role,
    actions: Sequence[str],
    resources: Sequence[str],
    *,
    because: str = "",
    conditions: Mapping[str, Any] | None = None,
) -> None:
    """Let the role do ``actions`` to ``resources``. Where these hold ``*``, ``because`` must tell why."""
    role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions))
    if because:
        accept(role, because, *wildcards(role, resources))


def wildcards(scope: Construct, resources: Sequence[str]) -> list[str]:
    """The findings that the rule check has of ``resources``, those with ``*``."""
    stack = cdk.Stack.of(scope)
    plain = (_plain(stack.resolve(resource)) for resource in resources)
    return [f"AwsSolutions-IAM5[Resource::{text}]" for text in plain if "*" in text]


def _plain(resolved: Any) -> str:
    """The text that the rule check makes of a template's expression: ``<LogicalId.Attribute>``."""
    match resolved:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(_plain(part) for part in parts)
        case _:
            return str(resolved)
