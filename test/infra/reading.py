"""Read a template: its expressions as text, its roles with all that they may do."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Template = Mapping[str, Any]


def plain(value: Any) -> Any:
    """Expressions as text: ``{"Ref": "X"}`` is ``<X>``, an attribute ``<X.Arn>``, and what is joined is one string."""
    match value:
        case {"Ref": str(name)}:
            return f"<{name.removeprefix('AWS::')}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(str(plain(part)) for part in parts)
        case Mapping():
            return {key: plain(below) for key, below in value.items()}
        case list():
            return [plain(below) for below in value]
        case _:
            return value


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Properties, as ``plain`` gives them, of all resources of a type, by logical id."""
    return {
        name: plain(resource.get("Properties", {}))
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def the_one(template: Template, kind: str, prefix: str = "") -> dict[str, Any]:
    """Properties of the only resource of a type whose logical id begins with ``prefix``."""
    (found,) = [value for name, value in of_type(template, kind).items() if name.startswith(prefix)]
    return found


@dataclass(frozen=True, slots=True)
class Permission:
    """One statement that a role has."""

    role: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Any]


def permissions(template: Template) -> Iterator[Permission]:
    """Everything that every role may do; ``role`` is its logical id without the hash."""
    return (one for effect, one in _statements(template) if effect == "Allow")


def denials(template: Template) -> Iterator[Permission]:
    """Everything that a role may not do, whatever else it may."""
    return (one for effect, one in _statements(template) if effect == "Deny")


def _statements(template: Template) -> Iterator[tuple[str, Permission]]:
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for properties in of_type(template, kind).values():
            for role in properties["Roles"]:
                for statement in properties["PolicyDocument"]["Statement"]:
                    yield (
                        statement["Effect"],
                        Permission(
                            role=short(role),
                            actions=tuple(_listed(statement["Action"])),
                            resources=tuple(_listed(statement["Resource"])),
                            conditions=statement.get("Condition", {}),
                        ),
                    )


def of_role(template: Template, role: str) -> dict[tuple[str, ...], tuple[str, ...]]:
    """What a role may do: resources by actions."""
    return {one.actions: one.resources for one in permissions(template) if one.role == role}


def short(reference: str) -> str:
    """The name in ``<Name93C0312D>``, without the eight digits of the hash."""
    return reference.strip("<>")[:-8]


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def releases(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Helm releases by name, values as data."""
    charts = of_type(template, "Custom::AWSCDK-EKS-HelmChart").values()
    return {chart["Release"]: {**chart, "Values": json.loads(chart["Values"])} for chart in charts}


def addons(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """EKS add-ons by name."""
    return {addon["AddonName"]: addon for addon in of_type(template, "AWS::EKS::Addon").values()}


def functions(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All Lambda functions by logical id."""
    return of_type(template, "AWS::Lambda::Function")


def waits_for(template: dict[str, Any], resource: str, other: str) -> bool:
    """Whether CloudFormation makes ``resource`` after ``other``, directly or through others."""
    seen: set[str] = set()
    todo = [resource]
    while todo:
        name = todo.pop()
        if name == other:
            return True
        if name not in seen:
            seen.add(name)
            one = template["Resources"][name]
            depends = one.get("DependsOn", [])
            todo += [depends] if isinstance(depends, str) else depends
            todo += [known for known in template["Resources"] if f'"{known}"' in json.dumps(one.get("Properties"))]
    return False


def named(template: dict[str, Any], kind: str, part: str) -> str:
    resources: dict[str, dict[str, Any]] = template["Resources"]
    (found,) = [
        name for name, one in resources.items() if one["Type"] == kind and part in json.dumps(one["Properties"])
    ]
    return found


def the(template: dict[str, Any], kind: str, prefix: str = "") -> str:
    """The id of the one resource of this type whose name begins so, as references to it read."""
    (name,) = [one for one in of_type(template, kind) if one.startswith(prefix)]
    return str(plain({"Ref": name}))


def queue_arn(template: dict[str, Any], prefix: str) -> str:
    """The ARN of the one queue whose name begins so, as references to it read."""
    return f"{the(template, 'AWS::SQS::Queue', prefix)[:-1]}.Arn>"
