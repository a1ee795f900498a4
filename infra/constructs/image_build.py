"""Images without Docker on the user's machine: an ECR repository and a CodeBuild project for each, and their start."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from infra.config.model import Images
from infra.constructs.acceptance import accept
from infra.constructs.log_group import log_group
from infra.constructs.permission import allow
from infra.images import AGENT, BUILD_SCRIPT, ROOT, ImageBuild, builds_log_group
from infra.versions import runtime_chart_version

BUILDER = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
"""CodeBuild's own image with Docker and the AWS CLI; GPU nodes are x86."""

SMALL, MEDIUM = "BUILD_GENERAL1_SMALL", "BUILD_GENERAL1_MEDIUM"
"""A runtime's image needs MEDIUM's disk of 128 GB: its layers are on it packed, unpacked and in the build's cache."""

BUILD_MINUTES = 60
"""A runtime's image takes 15 to 25 minutes, most of it for PyTorch's CUDA libraries."""

QUEUE_MINUTES = 60
"""New accounts run few builds at a time; the others wait."""

KEPT_IMAGES = 5
"""Older images are removed: running pods have theirs, and an update of the stack builds what it needs."""

PUSH = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:DescribeImages",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
]
PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


class ImageBuilds(Construct):
    """One project and one repository for each of ``builds``; ``projects`` and ``repositories`` by the image's name.

    ``function`` is the name of the image that a Lambda function runs; None: there is no such function.

    One role serves all projects, because a stack holds few resources: it writes the builds' log group, reads the
    sources, and pushes to the repositories made here, and nothing else.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stack_name: str,
        builds: Sequence[ImageBuild],
        config: Images,
        log_retention_days: int,
        function: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        logs = log_group(self, "Logs", retention_days=log_retention_days, name=builds_log_group(stack_name))
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("codebuild.amazonaws.com"))
        repositories = {build.name: self._repository(build, read_by_lambda=build.name == function) for build in builds}
        self.repositories = repositories
        sources = {build.name: self._source(build) for build in builds}
        allow(role, ["logs:CreateLogStream", "logs:PutLogEvents"], [logs.log_group_arn])
        allow(role, PUSH, [one.attr_arn for one in repositories.values()])
        allow(
            role,
            ["s3:GetObject", "s3:GetObjectVersion"],
            [one.bucket.arn_for_objects(one.s3_object_key) for one in sources.values()],
        )
        allow(role, ["ecr:GetAuthorizationToken"], ["*"], because="ECR gives tokens for the whole registry only.")
        self._allow_mirror(role, config.mirror)
        self.projects = {
            build.name: self._project(
                build, config=config, role=role, source=sources[build.name], log_group_name=logs.log_group_name
            )
            for build in builds
        }
        for name, project in self.projects.items():
            project.node.add_dependency(role, repositories[name])

    def _repository(self, build: ImageBuild, *, read_by_lambda: bool) -> ecr.CfnRepository:
        repository = ecr.CfnRepository(
            self,
            f"Repository-{build.name}",
            repository_name=build.repository,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=ecr.CfnRepository.ImageScanningConfigurationProperty(scan_on_push=True),
            encryption_configuration=ecr.CfnRepository.EncryptionConfigurationProperty(encryption_type="AES256"),
            empty_on_delete=True,
            repository_policy_text=self._for_lambda() if read_by_lambda else None,
            lifecycle_policy=ecr.CfnRepository.LifecyclePolicyProperty(lifecycle_policy_text=_keep(KEPT_IMAGES)),
        )
        repository.apply_removal_policy(cdk.RemovalPolicy.DESTROY)
        return repository

    def _for_lambda(self) -> iam.PolicyDocument:
        """Lambda reads an image by this when a function of the account is made, and again after a month of idleness."""
        stack = cdk.Stack.of(self)
        functions = f"arn:{cdk.Aws.PARTITION}:lambda:{stack.region}:{stack.account}:function:*"
        statement = iam.PolicyStatement(
            principals=[iam.ServicePrincipal("lambda.amazonaws.com")],
            actions=PULL,
            conditions={"ArnLike": {"aws:SourceArn": functions}},
        )
        return iam.PolicyDocument(statements=[statement])

    def _source(self, build: ImageBuild) -> assets.Asset:
        """The image's files in the project's layout. CDK copies the folder at once, and zips it when it publishes."""
        with tempfile.TemporaryDirectory() as name:
            for source in build.sources:
                target = Path(name) / source
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, target)
            return assets.Asset(self, f"Source-{build.name}", path=name)

    def _allow_mirror(self, role: iam.Role, mirror: str) -> None:
        """A mirror in ECR is read with the build's role; others are public."""
        host, _, folder = mirror.partition("/")
        if ".dkr.ecr." not in host:
            return
        account, region = host.split(".")[0], host.split(".")[3]
        repositories = f"arn:{cdk.Aws.PARTITION}:ecr:{region}:{account}:repository/{folder}/*"
        allow(role, PULL, [repositories], because="Any base image of the mirror that the config names.")

    def _project(
        self, build: ImageBuild, *, config: Images, role: iam.Role, source: assets.Asset, log_group_name: str
    ) -> codebuild.CfnProject:
        stack = cdk.Stack.of(self)
        environment = {
            "IMAGE_NAME": build.name,
            "REGISTRY": f"{stack.account}.dkr.ecr.{stack.region}.{cdk.Aws.URL_SUFFIX}",
            "REPOSITORY": build.repository,
            "TAG": build.tag,
            "VERSION": runtime_chart_version(),
            "MIRROR": config.mirror,
            "PACKAGE_INDEX": config.package_index or "",
            "SOURCE_HOST": config.source_host,
        }
        project = codebuild.CfnProject(
            self,
            f"Project-{build.name}",
            name=build.project,
            description=f"Builds the image {build.repository}",
            service_role=role.role_arn,
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="NO_ARTIFACTS"),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="LINUX_CONTAINER",
                compute_type=SMALL if build.name == AGENT else MEDIUM,
                image=BUILDER,
                image_pull_credentials_type="CODEBUILD",
                privileged_mode=True,
                environment_variables=[
                    codebuild.CfnProject.EnvironmentVariableProperty(name=name, value=value)
                    for name, value in environment.items()
                ],
            ),
            source=codebuild.CfnProject.SourceProperty(
                type="S3",
                location=f"{source.s3_bucket_name}/{source.s3_object_key}",
                build_spec=json.dumps({"version": 0.2, "phases": {"build": {"commands": [f"sh {BUILD_SCRIPT}"]}}}),
            ),
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=log_group_name, stream_name=build.name
                )
            ),
            timeout_in_minutes=BUILD_MINUTES,
            queued_timeout_in_minutes=QUEUE_MINUTES,
            concurrent_build_limit=1,
        )
        accept(project, "Docker runs in privileged mode only; the build is of this project's own files.", BUILD_IS_ROOT)
        accept(project, "It makes no artifacts that a key could encrypt.", NO_KEY)
        return project


BUILD_IS_ROOT = "AwsSolutions-CB3"
NO_KEY = "AwsSolutions-CB4"


def _keep(count: int) -> str:
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count}
    return json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})
