"""What to do with a stack that stands: where it is, how to get the key, a first request to paste."""

import json
import shlex

from infra.config.model import Config
from utils.deploy.account import Account
from utils.deploy.console import say
from utils.deploy.stack import outputs
from utils.smoke import samples
from utils.smoke.client import Target, requests_for


def farewell(account: Account, stack_name: str, config: Config) -> None:
    """The key itself is never printed: it would stay in logs."""
    told = outputs(account, stack_name)
    endpoint, key_command = told["FrontApiEndpoint"], told["GetAPIKeyCommand"]
    runtime = config.models_runtime[0]
    request = requests_for(Target(runtime=runtime.name, type=runtime.type, model=None))[-1]
    body = json.dumps(request.body)
    say()
    say(f"{stack_name} stands.")
    say(f"  endpoint   {endpoint}")
    say(f"  API key    {key_command}")
    say(f"  callbacks  {told['sdNotificationOutputArn']}")
    say(f"  pictures   s3://{told['OutputS3Bucket']}")
    say(f"  cluster    {told['ConfigCommand']}")
    say("Send a first request; its picture comes after a cold start of some minutes:")
    say(f'  API_KEY="$({key_command})"')
    say(
        f"  curl -sS {endpoint.rstrip('/')}/{samples.version(request.name)} "
        f'-H "x-api-key: $API_KEY" -H "Content-Type: application/json" -d {shlex.quote(body)}'
    )
    say("Send every request of the guide, and wait for the pictures:")
    say(
        f"  STACK_NAME={stack_name} AWS_DEFAULT_REGION={account.region} RUNTIME_TYPE={runtime.type.value} test/run.sh "
        f"--runtime {runtime.name}"
    )
