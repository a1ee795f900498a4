"""What the CDK's command line makes of a deployment, as far as scripts see it: ``python fake_cdk.py deploy … STACK``.

Repositories of the images and a stack with its outputs, in the AWS that the environment names.
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import boto3

from infra.config.model import load_config
from infra.images import image_builds
from infra.topology import STACK_DESCRIPTION
from test.support.ready import OUTPUTS


def main() -> None:
    command, name = sys.argv[1], sys.argv[-1]
    if command != "deploy":
        return
    ecr, cloudformation = boto3.client("ecr"), boto3.client("cloudformation")
    for build in image_builds(load_config(Path(os.environ["CDK_CONFIG_PATH"]))):
        with suppress(ecr.exceptions.RepositoryAlreadyExistsException):
            ecr.create_repository(repositoryName=build.repository)
    template = {
        "Description": STACK_DESCRIPTION,
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {key: {"Value": value} for key, value in OUTPUTS.items()},
    }
    with suppress(cloudformation.exceptions.AlreadyExistsException):
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))


main()
