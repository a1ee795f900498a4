"""Commands of the AWS CLI, held to the models of the SDK that has the same operations."""

from collections.abc import Iterator, Sequence
from functools import cache

from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, ServiceModel
from botocore.session import Session

GLOBAL = {
    "--region",
    "--profile",
    "--output",
    "--query",
    "--endpoint-url",
    "--no-cli-pager",
    "--no-paginate",
    "--max-items",
    "--page-size",
    "--starting-token",
    "--cli-input-json",
    "--cli-binary-format",
    "--no-sign-request",
}
"""Options of every command."""

OWN = {
    ("s3", "cp"): "--recursive --acl --exclude --include --quiet --only-show-errors --no-progress --sse",
    ("s3", "sync"): "--delete --exclude --include --quiet --only-show-errors --no-progress",
    ("s3", "ls"): "--recursive --human-readable --summarize",
    ("s3", "rm"): "--recursive --exclude --include --quiet",
    ("s3", "mv"): "--recursive --exclude --include --quiet",
    ("s3", "mb"): "",
    ("s3", "rb"): "--force",
    ("s3", "presign"): "--expires-in",
    ("configure", "list"): "",
    ("configure", "sso"): "",
    ("configure", "get"): "",
    ("configure", "set"): "",
    ("sso", "login"): "",
    ("eks", "update-kubeconfig"): "--name --role-arn --alias --kubeconfig --dry-run",
    ("eks", "get-token"): "--cluster-name --role-arn",
    ("ecr", "get-login-password"): "",
    ("ecr-public", "get-login-password"): "",
    ("logs", "tail"): "--since --follow --format --filter-pattern --log-stream-names --log-stream-name-prefix",
}
"""Commands that the CLI has and no model, with their options."""

NAMES = {"s3api": "s3"}

RENAMED = {
    ("sns", "subscribe", "--endpoint"): "--notification-endpoint",
    ("apigateway", "create-rest-api", "--version"): "--api-version",
    ("eks", "create-cluster", "--version"): "--kubernetes-version",
    ("eks", "update-cluster-version", "--version"): "--kubernetes-version",
}
"""Options that the CLI calls otherwise than the model; its own come from ``customizations/argrename.py`` there."""

ADDED = {("ec2", "run-instances"): {"--count", "--subnet-id", "--security-group-ids"}}
"""Options that the CLI makes of several members."""


def problems(words: Sequence[str]) -> Iterator[str]:
    """``words`` begin with ``aws``."""
    plain, options = _split(words[1:])
    if not plain:
        if not {"--version"} & set(options):
            yield "aws: a service and an operation are missing"
        return
    if plain[0] == "configure" and len(plain) == 1:
        return
    service, operation = plain[0], plain[1] if len(plain) > 1 else ""
    own = OWN.get((service, operation))
    if own is not None:
        yield from _unknown(words, options, set(own.split()))
        return
    model = _model(NAMES.get(service, service))
    if model is None or service in {"s3", "configure"}:
        yield f"aws {service} {operation}: there is no such command"
    elif operation == "wait":
        yield from _wait_problems(service, plain[2] if len(plain) > 2 else "", options)
    else:
        found = _operations(model.service_name).get(operation)
        if found is None:
            yield f"aws {service} {operation}: there is no such operation"
        else:
            yield from _option_problems(words, options, found)


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words before and between global options, and all options."""
    plain: list[str] = []
    options: list[str] = []
    rest = iter(words)
    for word in rest:
        if word.startswith("--"):
            options.append(word.partition("=")[0])
            if len(plain) < 2 and "=" not in word and not word.startswith(("--no-", "--debug", "--version")):
                next(rest, None)
        elif not options or len(plain) < 2:
            plain.append(word)
    return plain, options


def _wait_problems(service: str, waiter: str, options: list[str]) -> Iterator[str]:
    client = Session().create_client(
        NAMES.get(service, service), "us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    if waiter.replace("-", "_") not in client.waiter_names:
        yield f"aws {service} wait {waiter}: there is no such waiter"


def _option_problems(words: Sequence[str], options: list[str], operation: OperationModel) -> Iterator[str]:
    service, name = words[1], words[2]
    shape = operation.input_shape
    members = shape.members if shape else {}
    told = {key: RENAMED.get((service, name, _option(key)), _option(key)) for key in members}
    switches = {_option(key).replace("--", "--no-", 1) for key in members if members[key].type_name == "boolean"}
    yield from _unknown(words, options, {*told.values(), *switches, *ADDED.get((service, name), ())})
    given = {option.replace("--no-", "--", 1) for option in options}
    missing = {told[key] for key in (shape.required_members if shape else ())} - given
    if missing and "--cli-input-json" not in options:
        yield f"{' '.join(words[:3])}: {', '.join(sorted(missing))} is required"


def _option(member: str) -> str:
    return f"--{xform_name(member, '-')}"


def _unknown(words: Sequence[str], options: list[str], known: set[str]) -> Iterator[str]:
    for option in options:
        if option not in known | GLOBAL:
            yield f"{' '.join(words[:3])}: there is no option {option}"


@cache
def _model(service: str) -> ServiceModel | None:
    try:
        return Session().get_service_model(service)
    except UnknownServiceError:
        return None


@cache
def _operations(service: str) -> dict[str, OperationModel]:
    model = _model(service)
    assert model
    return {xform_name(name, "-"): model.operation_model(name) for name in model.operation_names}
