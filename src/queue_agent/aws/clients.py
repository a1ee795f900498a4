"""The agent's AWS clients, made once, and the one place where an AWS error becomes ours."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import ClientError as HttpError
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from queue_agent.aws.models import lean_loader
from queue_agent.errors import AwsDenied, AwsError

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_sns import SNSClient
    from types_aiobotocore_sqs import SQSClient

LONG_POLL_SECONDS = 10
"""Below SQS's 20, because a stopping agent waits for its poll to end: a message that an aborted poll received stays
invisible until its lease expires."""

CONNECT_TIMEOUT = 5
READ_TIMEOUT = LONG_POLL_SECONDS + 10
"""Seconds; beyond the long poll, short enough to notice a dead connection well within a lease."""

CALL_ATTEMPTS = 4
"""botocore's own attempts at one call (standard mode: 500, 503, throttling and connection errors, with jitter): a few
seconds. Longer outages are the caller's to wait for, which knows what it holds."""

POOL_SIZE = 16
"""Connections per service: parallel outputs and links, plus renewals."""

CREDENTIAL_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Codes that are about who calls, not about what it may do."""

DENIED_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "KMS.AccessDeniedException",
        *CREDENTIAL_CODES,
    }
)
"""Codes for a call that this agent may not make. Waiting does not help; an operator does."""

PERMISSIONS = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ChangeMessageVisibility": "sqs:ChangeMessageVisibility",
    "CompleteMultipartUpload": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "DeleteMessage": "sqs:DeleteMessage",
    "GetItem": "dynamodb:GetItem",
    "GetObject": "s3:GetObject",
    "Publish": "sns:Publish",
    "PutItem": "dynamodb:PutItem",
    "PutObject": "s3:PutObject",
    "ReceiveMessage": "sqs:ReceiveMessage",
    "SendMessage": "sqs:SendMessage",
    "UpdateItem": "dynamodb:UpdateItem",
    "UploadPart": "s3:PutObject",
}
"""The IAM action that each call of the agent needs. Source: AWS's service authorization reference."""

_LEAN: dict[str, Any] = {
    # botocore builds its user agent and checks every parameter on each call. A task takes five calls, and the
    # agent shares its node's few cores with a runtime that needs them.
    "user_agent": "sd-on-eks-queue-agent",
    "parameter_validation": False,
    # TLS and the request's signature guard the bytes on their way, and S3 keeps a checksum of its own.
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}


@dataclass(frozen=True, slots=True)
class Clients:
    """One client a service, for the life of the process. ``dynamodb`` is None where no table was asked for."""

    sqs: "SQSClient"
    sns: "SNSClient"
    s3: "S3Client"
    dynamodb: "DynamoDBClient | None" = None

    @property
    def tables(self) -> "DynamoDBClient":
        """The client of DynamoDB, where there must be one."""
        assert self.dynamodb is not None, "these clients were opened without tables"
        return self.dynamodb


@asynccontextmanager
async def open_clients(region: str, *, tables: bool = False) -> AsyncIterator[Clients]:
    """Clients by the SDK's usual chain (Pod Identity, environment, AWS_ENDPOINT_URL); closed on exit.

    DynamoDB's takes a few megabytes, so there is one with ``tables`` only.
    """
    session = get_session()
    session.register_component("data_loader", lean_loader())
    config = AioConfig(
        region_name=region,
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        max_pool_connections=POOL_SIZE,
        retries={"mode": "standard", "total_max_attempts": CALL_ATTEMPTS},
        tcp_keepalive=True,
        **_LEAN,
    )
    async with AsyncExitStack() as stack:
        yield Clients(
            sqs=await stack.enter_async_context(session.create_client("sqs", config=config)),
            sns=await stack.enter_async_context(session.create_client("sns", config=config)),
            s3=await stack.enter_async_context(session.create_client("s3", config=config)),
            dynamodb=await stack.enter_async_context(session.create_client("dynamodb", config=config))
            if tables
            else None,
        )


@contextmanager
def aws_errors(action: str) -> Iterator[None]:
    """Turn what AWS raises into AwsError, or AwsDenied. ``action`` is what was attempted, as in "could not store …"."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        said = f"could not {action}: {code}: {error.response.get('Error', {}).get('Message', '')}"
        if code in DENIED_CODES:
            raise AwsDenied(f"{said}; {_remedy(code, error.operation_name)}") from error
        raise AwsError(said) from error
    except (BotoCoreError, HTTPClientError, HttpError, OSError) as error:
        raise AwsError(f"could not {action}: {type(error).__name__}: {error}") from error


def code_of(error: BaseException) -> str:
    """The service's error code, such as ``NoSuchKey`` or ``404``, also of an AwsError made of it; empty without one."""
    answered = error.__cause__ if isinstance(error, AwsError) else error
    return str(answered.response.get("Error", {}).get("Code", "unknown")) if isinstance(answered, ClientError) else ""


def _remedy(code: str, operation: str) -> str:
    if code in CREDENTIAL_CODES:
        return f"AWS refused the credentials of this pod for {operation}"
    return f"AWS denied {PERMISSIONS.get(operation, operation)}: the role of this pod needs it"
