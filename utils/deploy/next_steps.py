"""What to do with a deployed stack: where it is, how to get the key, a first request to paste."""

import json
import shlex

from infra.config.api import Auth
from infra.config.model import Config
from utils.deploy.account import Account
from utils.deploy.console import say
from utils.deploy.stack import outputs
from utils.smoke import samples
from utils.smoke.client import Target, requests_for


def show_next_steps(account: Account, stack_name: str, config: Config) -> None:
    """Print them. The key itself is never printed: it would stay in logs. Raises DeployError without such a stack."""
    found = outputs(account, stack_name)
    endpoint, key_command = found["FrontApiEndpoint"], found.get("GetAPIKeyCommand")
    runtime = config.models_runtime[0]
    request = requests_for(Target(runtime=runtime.name, type=runtime.type, model=None))[-1]
    body = json.dumps(request.body)
    say()
    say(f"{stack_name} is deployed.")
    say(f"  console    {endpoint.rstrip('/')}/console")
    say(f"  endpoint   {endpoint}")
    if key_command:
        say(f"  API key    {key_command}")
    elif "ApiInvokeArn" in found:
        say(f"  signatures SigV4 with execute-api:Invoke on {found['ApiInvokeArn']}")
    if "ApiDomainTarget" in found:
        say(f"  DNS        an alias or CNAME record of the domain to {found['ApiDomainTarget']}")
    say(f"  callbacks  {found['sdNotificationOutputArn']}")
    say(f"  images     s3://{found['OutputS3Bucket']}")
    say(f"  cluster    {found['ConfigCommand']}")
    say("Send a first request; its image comes after a cold start of some minutes:")
    if key_command:
        say(f'  API_KEY="$({key_command})"')
    say(
        f"  curl -sS {endpoint.rstrip('/')}/{samples.version(request.name)} {_credentials(config, account)}"
        f'-H "Content-Type: application/json" -d {shlex.quote(body)}'
    )
    say("Send every sample request, and wait for the images:")
    say(
        f"  STACK_NAME={stack_name} AWS_DEFAULT_REGION={account.region} RUNTIME_TYPE={runtime.type.value} test/run.sh "
        f"--runtime {runtime.name}"
    )


def _credentials(config: Config, account: Account) -> str:
    """Arguments of curl, with a space at their end."""
    if config.apigw.auth is Auth.AWS_IAM:
        signature = f"--aws-sigv4 aws:amz:{account.region}:execute-api"
        return f'{signature} --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" '
    return '-H "x-api-key: $API_KEY" ' if config.apigw.auth is Auth.API_KEY else ""
