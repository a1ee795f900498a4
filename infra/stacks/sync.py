"""What answers synchronous routes, in addition to the front door and the runtimes."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3

from contract.object_keys import RESULTS_PREFIX, SYNC_FOLDER
from infra.config.model import Config
from infra.constructs.function import FunctionSettings
from infra.constructs.image_kit import BuiltImage, EcrImage, ImageKitFunction
from infra.constructs.permission import allow
from infra.topology import Topology


def image_kit_function(
    stack: cdk.Stack,
    config: Config,
    topology: Topology,
    settings: FunctionSettings,
    *,
    output: s3.Bucket,
    built: BuiltImage | None,
) -> lambda_.IFunction:
    """The image kit's function, and what it may do: read inputs, store what is too large to answer, and link to it."""
    plan = topology.sync.image_kit_function
    assert plan, "the config has such a function"
    image = EcrImage.named(plan.image) if plan.image else built.image if built else None
    assert image, "the config names an image where the stack builds none"
    made = ImageKitFunction(
        stack,
        "ImageKit",
        image=image,
        memory_mb=plan.memory_mb,
        environment=plan.environment(results_bucket=output.bucket_name),
        settings=settings,
        tracing=config.add_ons.tracing,
    )
    if built:
        made.after(built.ready)
    results = [output.arn_for_objects(f"{RESULTS_PREFIX}/*")]
    allow(made.role, ["s3:PutObject", "s3:GetObject"], results, because="Each result has a name of its own.")
    if config.input_buckets:
        inputs = [f"arn:{cdk.Aws.PARTITION}:s3:::{name}/*" for name in config.input_buckets]
        allow(
            made.role, ["s3:GetObject"], inputs, because="Requests name any object of the buckets that the user lists."
        )
    return made.function


def allow_endpoint(stack: cdk.Stack, topology: Topology, role: iam.Role, *, output: s3.Bucket) -> None:
    """Let the front door call the SageMaker endpoint behind the route of images from text, and store its images."""
    route = topology.sync.text_to_image
    if route is None or route.endpoint is None:
        return
    # SageMaker writes ARNs in lower case, whatever the case of the name.
    names = sorted({route.endpoint, route.endpoint.lower()})
    place = f"arn:{cdk.Aws.PARTITION}:sagemaker:{stack.region}:{stack.account}:endpoint"
    allow(role, ["sagemaker:InvokeEndpoint"], [f"{place}/{name}" for name in names])
    prefixes = {prefix for client in topology.clients.named for prefix in client.prefixes[:1]}
    folders = [SYNC_FOLDER, *(f"{prefix}/{SYNC_FOLDER}" for prefix in sorted(prefixes))]
    allow(
        role,
        ["s3:PutObject"],
        [output.arn_for_objects(f"{folder}/*") for folder in folders],
        because="Images, each under a name of its own.",
    )
