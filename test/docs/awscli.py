"""Commands of the AWS CLI that pages show: the operation and its options exist in botocore's model of the service."""

from collections.abc import Iterator, Sequence

from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.session import Session

GLOBAL = {"--region", "--profile", "--output", "--query", "--endpoint-url", "--max-items", "--cli-input-json"}
"""Options of every command that pages use."""

WITHOUT_MODEL = {"s3", "configure", "sso", "eks update-kubeconfig", "ecr get-login-password", "logs tail"}
"""Commands of the CLI's own, which botocore does not know; their options are not checked."""

RENAMED = {("sns", "subscribe"): {"--notification-endpoint"}}
"""Options that the CLI names differently than the model. Source: customizations/argrename.py of the CLI."""


def problems(argv: Sequence[str]) -> Iterator[str]:
    """What is wrong with a command; ``argv`` begins with ``aws``."""
    service, operation = (*[argument for argument in argv[1:] if not argument.startswith("--")], "", "")[:2]
    if "--version" in argv or {service, f"{service} {operation}"} & WITHOUT_MODEL:
        return
    try:
        model = Session().get_service_model(service)
    except UnknownServiceError:
        yield f"aws {service}: there is no such service"
        return
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in operations:
        yield f"aws {service} {operation}: there is no such operation"
        return
    shape = model.operation_model(operations[operation]).input_shape
    options = {f"--{xform_name(member, '-')}" for member in (shape.members if shape else {})}
    switches = {option.replace("--", "--no-", 1) for option in options}
    known = options | switches | GLOBAL | RENAMED.get((service, operation), set())
    given = {argument.partition("=")[0] for argument in argv if argument.startswith("--")}
    yield from (f"aws {service} {operation}: there is no option {option}" for option in sorted(given - known))
