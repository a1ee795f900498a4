"""Who may do what. Every role of the stack stands here with everything that it may do."""

from typing import Any

import pytest

from test.infra.reading import denials, of_role, of_type, permissions, queue_arn, short, the

LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
TRACES = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")

QUEUES = "arn:<Partition>:sqs:<Region>:<AccountId>:sdoneks_"
OWN = "${aws:PrincipalTag/kubernetes-service-account}"

STARS = {
    ("xray:PutTelemetryRecords", "xray:PutTraceSegments"): "X-Ray has no resources to name.",
    ("ec2:DescribeInstances", "ec2:DescribeVolumes"): "EC2 describes all or nothing.",
    ("ec2:DescribeInstances",): "EC2 describes all or nothing.",
    (
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    ): "Log delivery of a state machine, as AWS documents it, has no resources to name.",
    ("iam:ListInstanceProfiles",): "Karpenter looks for profiles that it left behind; IAM lists all or nothing.",
    (
        "ec2:DescribeCapacityReservations",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceStatus",
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeLaunchTemplates",
        "ec2:DescribePlacementGroups",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSpotPriceHistory",
        "ec2:DescribeSubnets",
    ): "Karpenter looks for what there is to launch; held to the region by a condition.",
    ("ecr:GetAuthorizationToken",): "ECR gives tokens for the whole registry.",
    ("pricing:GetProducts",): "Prices have no resources to name.",
    ("arc-zonal-shift:GetManagedResource",): "Held to the cluster by a condition.",
}
"""Every ``Resource: "*"`` there is, and why."""

WILD_ACTIONS = {("s3:GetBucket*", "s3:GetObject*", "s3:List*")}
"""The library's own: its kubectl function reads charts from the bucket of the deployment's assets."""

AWS_POLICIES = {
    "AmazonEKSClusterPolicy",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonSSMManagedInstanceCore",
    "AmazonEKS_CNI_Policy",
    "CloudWatchAgentServerPolicy",
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonElasticContainerRegistryPublicReadOnly",
    "service-role/AmazonAPIGatewayPushToCloudWatchLogs",
    "service-role/AWSLambdaBasicExecutionRole",
    "service-role/AWSLambdaVPCAccessExecutionRole",
}
"""Policies that AWS keeps, all of them."""


@pytest.fixture(params=["default", "three", "shared", "everything", "china", "signed", "opened"])
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    made: dict[str, Any] = request.getfixturevalue(request.param)
    return made


def test_every_star_has_its_reason(template: dict[str, Any]) -> None:
    stars = {one.actions for one in permissions(template) if "*" in one.resources}

    assert stars <= STARS.keys()


def test_no_reason_is_left_without_its_star(default: dict[str, Any], everything: dict[str, Any]) -> None:
    stars = {one.actions for made in (default, everything) for one in permissions(made) if "*" in one.resources}

    assert stars == STARS.keys()


def test_no_action_is_a_wildcard(template: dict[str, Any]) -> None:
    wild = {one.actions for one in permissions(template) if any("*" in action for action in one.actions)}

    assert wild == WILD_ACTIONS


def test_no_policy_of_aws_gives_full_access(template: dict[str, Any]) -> None:
    policies = {
        arn.split(":policy/")[1]
        for role in of_type(template, "AWS::IAM::Role").values()
        for policy in role.get("ManagedPolicyArns", [])
        for arn in (policy["Fn::If"][:2] if isinstance(policy, dict) else [policy])
        if ":policy/" in arn
    }

    assert policies <= AWS_POLICIES
    assert not [name for name in policies if "FullAccess" in name or "Administrator" in name]


def test_no_role_has_policies_beside_those_that_are_read_here(template: dict[str, Any]) -> None:
    assert not [name for name, role in of_type(template, "AWS::IAM::Role").items() if "Policies" in role]
    assert not of_type(template, "AWS::IAM::User")


def test_agents_work_on_the_queue_of_their_own_name(default: dict[str, Any]) -> None:
    assert of_role(default, "AgentRole") == {
        ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"): (f"{QUEUES}{OWN}",),
        ("sqs:SendMessage",): (queue_arn(default, "WebhookEventsQueue"), f"{QUEUES}{OWN}_dead"),
        ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"): (_arn(default, "AWS::DynamoDB::Table"),),
        ("sns:Publish",): (the(default, "AWS::SNS::Topic", "RoutingCallbacks"),),
        ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"): (f"{_arn(default, 'AWS::S3::Bucket')}/*",),
        ("s3:ListBucket",): (_arn(default, "AWS::S3::Bucket"),),
    }


def test_agents_cannot_forge_the_contents_of_a_task(default: dict[str, Any]) -> None:
    (one,) = denials(default)

    assert (one.role, one.actions) == ("AgentRole", ("s3:PutObject",))
    assert one.resources == (f"{_arn(default, 'AWS::S3::Bucket')}/.platform/requests/*",)


def test_the_queues_that_agents_may_use_are_those_that_there_are(three: dict[str, Any]) -> None:
    # Given
    allowed = of_role(three, "AgentRole")
    ((consumed,), (_, buried)) = (resources for actions, resources in allowed.items() if actions[0].startswith("sqs:"))
    names = {queue.get("QueueName") for queue in of_type(three, "AWS::SQS::Queue").values()}

    # Then
    for association in of_type(three, "AWS::EKS::PodIdentityAssociation").values():
        if association["RoleArn"].startswith("<AgentRole"):
            for pattern in (consumed, buried):
                assert pattern.replace(OWN, association["ServiceAccount"]).rsplit(":", 1)[1] in names


def test_agents_read_the_input_buckets_of_the_config(everything: dict[str, Any]) -> None:
    reading = of_role(everything, "AgentRole")[("s3:GetObject",)]

    assert reading == ("arn:<Partition>:s3:::masks/*", "arn:<Partition>:s3:::photos/*")


def test_only_pod_identity_can_give_a_pods_role(three: dict[str, Any]) -> None:
    associated = {
        association["RoleArn"].strip("<>").removesuffix(".Arn")
        for association in of_type(three, "AWS::EKS::PodIdentityAssociation").values()
    }

    for name in associated:
        document = of_type(three, "AWS::IAM::Role")[name]["AssumeRolePolicyDocument"]
        (statement,) = document["Statement"]
        assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
        assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]


def test_models_are_read_and_never_written(default: dict[str, Any]) -> None:
    assert of_role(default, "EksAddonsModelReader") == {
        ("s3:ListBucket",): ("arn:aws:s3:::your-model-bucket",),
        ("s3:GetObject",): ("arn:aws:s3:::your-model-bucket/*",),
    }


def test_the_sender_of_webhooks_reads_and_does_no_more(default: dict[str, Any]) -> None:
    allowed = of_role(default, "WebhookSenderHandlerRole")
    allowed.pop(TRACES)
    allowed.pop(LOGS)

    assert allowed == {
        ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"): (
            queue_arn(default, "WebhookEventsQueue"),
        ),
        ("sqs:SendMessage",): (queue_arn(default, "WebhookEventsDeadLetters"),),
        ("dynamodb:GetItem", "dynamodb:UpdateItem"): (_arn(default, "AWS::DynamoDB::Table"),),
        ("secretsmanager:GetSecretValue",): (
            "arn:<Partition>:secretsmanager:<Region>:<AccountId>:secret:sdoneks/webhooks/*",
        ),
        ("s3:GetObject",): (f"{_arn(default, 'AWS::S3::Bucket')}/*",),
    }


def test_keda_and_the_guard_see_how_long_this_stacks_queues_are(default: dict[str, Any]) -> None:
    asking = {("sqs:GetQueueAttributes",): (f"{QUEUES}*",)}

    assert of_role(default, "KedaRole") == asking
    assert of_role(default, "QueueGuardHandlerRole").items() >= asking.items()


def test_the_collector_writes_traces_and_its_own_logs(default: dict[str, Any]) -> None:
    allowed = of_role(default, "TelemetryRole")

    assert allowed[TRACES] == ("*",)
    (logs,) = allowed[("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")]
    assert logs.startswith("<TelemetryMetrics")
    assert len(allowed) == 2


def test_the_drain_looks_and_changes_nothing(default: dict[str, Any]) -> None:
    allowed = of_role(default, "NodeDrainHandlerRole")

    assert allowed[("ec2:DescribeInstances",)] == ("*",)
    (role,) = allowed[("iam:ListInstanceProfilesForRole",)]
    assert role.startswith("<GpuNodeRole")
    assert len(allowed) == 3


def test_the_tuner_changes_volumes_of_this_cluster_only(everything: dict[str, Any]) -> None:
    (changing,) = [one for one in permissions(everything) if "ec2:ModifyVolume" in one.actions]

    assert changing.role == "EbsThroughputTunerHandlerRole"
    assert changing.resources == ("arn:<Partition>:ec2:<Region>:<AccountId>:volume/*",)
    assert changing.conditions == {"StringEquals": {"aws:ResourceTag/eks:eks-cluster-name": "otherStack"}}


def test_builds_push_to_their_own_repositories_and_read_their_own_sources(default: dict[str, Any]) -> None:
    # When
    allowed = of_role(default, "ImagesRole")

    # Then
    (push,) = [resources for actions, resources in allowed.items() if "ecr:PutImage" in actions]
    assert [short(one.replace(".Arn", "")) for one in push] == ["ImagesRepositoryqueueagent", "ImagesRepositorysdwebui"]
    sources = allowed[("s3:GetObject", "s3:GetObjectVersion")]
    assert all(one.endswith(".zip") for one in sources)
    assert allowed[("ecr:GetAuthorizationToken",)] == ("*",)
    (logs,) = allowed[LOGS]
    assert logs.startswith("<ImagesLogs")
    assert len(allowed) == 4


def test_builds_read_a_mirror_in_ecr_and_nothing_else_of_that_registry(everything: dict[str, Any]) -> None:
    allowed = of_role(everything, "ImagesRole")

    assert allowed[("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")] == (
        "arn:<Partition>:ecr:us-east-1:123456789012:repository/library/*",
    )


def test_the_stack_starts_its_own_builds_only(default: dict[str, Any]) -> None:
    projects = of_role(default, "ImageStartHandlerRole")[("codebuild:StartBuild",)]

    assert [short(one.replace(".Arn", "")) for one in projects] == ["ImagesProjectqueueagent", "ImagesProjectsdwebui"]


def test_administrators_learn_where_the_cluster_is(default: dict[str, Any]) -> None:
    assert of_role(default, "ClusterAccessRole") == {("eks:DescribeCluster",): (_arn(default, "AWS::EKS::Cluster"),)}


def test_a_managed_policy_is_no_longer_than_iam_takes(template: dict[str, Any]) -> None:
    for policy in of_type(template, "AWS::IAM::ManagedPolicy").values():
        text = "".join(str(policy["PolicyDocument"]).split())
        assert len(text) < 6144


def _arn(template: dict[str, Any], kind: str) -> str:
    (name,) = of_type(template, kind)
    return f"<{name}.Arn>"
