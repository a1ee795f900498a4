"""An account in which everything that a deployment makes is there already."""

import json

from infra.images import image_build
from infra.topology import STACK_DESCRIPTION
from test.support.aws import ACCOUNT, AMI, REGION, Aws
from utils.deploy.model_folders import FOLDERS
from utils.deploy.models import SD_1_5

BUCKET = f"sdoneks-models-{ACCOUNT}-{REGION}"
BOTTLEROCKET = "/aws/service/bottlerocket/aws-k8s-1.35/x86_64/latest/image_id"
BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"

OUTPUTS = {
    "FrontApiEndpoint": "https://abc.execute-api.us-west-2.amazonaws.com/dev/",
    "GetAPIKeyCommand": "aws apigateway get-api-keys --query 'items[?id==`k1`].value' --include-values --output text",
    "sdNotificationOutputArn": "arn:aws:sns:us-west-2:123456789012:sdoneks_callbacks",
    "OutputS3Bucket": "pictures",
    "ConfigCommand": "aws eks update-kubeconfig --name sdoneksStack",
}


def make_ready(aws: Aws) -> None:
    """Images, the model, a CDK bootstrap, and a stack with its outputs."""
    for name in ("queue-agent", "sdwebui"):
        build = image_build("sdoneks", name)
        aws.push(build.repository, build.tag)
    aws.ssm.parameters |= {BOTTLEROCKET: AMI, BOOTSTRAP: "30"}
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=BUCKET, Key=SD_1_5.key, Body=b"", Metadata={"sha256": SD_1_5.sha256})
    for folder in FOLDERS:
        s3.put_object(Bucket=BUCKET, Key=f"{folder}/.keep", Body=b"")
    template = {
        "Description": STACK_DESCRIPTION,
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in OUTPUTS.items()},
    }
    aws.client("cloudformation").create_stack(StackName="sdoneksStack", TemplateBody=json.dumps(template))
