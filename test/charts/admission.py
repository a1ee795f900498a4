"""What a cluster would do with a change, as far as RBAC and an admission policy of the chart decide it.

The policy's expressions are evaluated as they stand, by a CEL interpreter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cel

from test.charts.chart import Manifest, Rendered

Extra = Mapping[str, list[str]]


@dataclass(frozen=True)
class Change:
    """One update of a pod. ``extra`` is what the API server read from the caller's token."""

    before: Manifest
    after: Manifest
    user: str
    extra: Extra | None = field(default=None)

    @property
    def seen(self) -> dict[str, Any]:
        """The request as the policy's expressions see it."""
        extra = {} if self.extra is None else {"extra": self.extra}
        request = {"operation": "UPDATE", "userInfo": {"username": self.user, "groups": [], **extra}}
        return {"request": request, "object": self.after, "oldObject": self.before}


def refusals(rendered: Rendered, change: Change) -> list[str]:
    """The messages with which the release's policy denies the change; empty when it does not."""
    spec = rendered.one("ValidatingAdmissionPolicy")["spec"]
    namespace = spec["matchConstraints"]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    if change.before["metadata"]["namespace"] != namespace:
        return []
    seen = change.seen
    if not all(cel.evaluate(condition["expression"], seen) for condition in spec["matchConditions"]):
        return []
    variables: dict[str, Any] = {}
    for variable in spec["variables"]:
        variables[variable["name"]] = cel.evaluate(variable["expression"], {**seen, "variables": variables})
    return [
        validation["message"]
        for validation in spec["validations"]
        if not cel.evaluate(validation["expression"], {**seen, "variables": variables})
    ]


def allowed(rendered: Rendered, account: tuple[str, str]) -> set[tuple[str, str, str, str]]:
    """What RBAC allows a service account (namespace, name): sets of namespace, API group, resource, verb."""
    grants = set()
    for binding in rendered.all("RoleBinding"):
        subjects = {(s["namespace"], s["name"]) for s in binding["subjects"] if s["kind"] == "ServiceAccount"}
        roles = [role for role in rendered.all("Role") if role["metadata"]["name"] == binding["roleRef"]["name"]]
        if account in subjects:
            grants |= {
                (role["metadata"]["namespace"], group, resource, verb)
                for role in roles
                for rule in role["rules"]
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
            }
    return grants
