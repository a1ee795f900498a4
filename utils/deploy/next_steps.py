"""What to do with a deployed stack: where it is, how to get the key, a first request to paste."""

import json
import shlex

from infra.config.model import Config
from utils.deploy.account import Account
from utils.deploy.console import say
from utils.deploy.stack import outputs
from utils.smoke import samples
from utils.smoke.client import Target, requests_for


def show_next_steps(account: Account, stack_name: str, config: Config) -> None:
    """Print them. The key itself is never printed: it would stay in logs. Raises DeployError without such a stack."""
    found = outputs(account, stack_name)
    endpoint, key_command = found["FrontApiEndpoint"], found["GetAPIKeyCommand"]
    runtime = config.models_runtime[0]
    request = requests_for(Target(runtime=runtime.name, type=runtime.type, model=None))[-1]
    body = json.dumps(request.body)
    say()
    say(f"{stack_name} is deployed.")
    say(f"  console    {endpoint.rstrip('/')}/console")
    say(f"  endpoint   {endpoint}")
    say(f"  API key    {key_command}")
    say(f"  callbacks  {found['sdNotificationOutputArn']}")
    say(f"  images     s3://{found['OutputS3Bucket']}")
    say(f"  cluster    {found['ConfigCommand']}")
    say("Send a first request; its image comes after a cold start of some minutes:")
    say(f'  API_KEY="$({key_command})"')
    say(
        f"  curl -sS {endpoint.rstrip('/')}/{samples.version(request.name)} "
        f'-H "x-api-key: $API_KEY" -H "Content-Type: application/json" -d {shlex.quote(body)}'
    )
    say("Send every sample request, and wait for the images:")
    say(
        f"  STACK_NAME={stack_name} AWS_DEFAULT_REGION={account.region} RUNTIME_TYPE={runtime.type.value} test/run.sh "
        f"--runtime {runtime.name}"
    )
