"""The model bucket: that it can be read by the stack, and holds what the runtimes load when they start."""

from collections.abc import Iterator

from contract.runtimes import RuntimeType
from utils.deploy import buckets, model_folders
from utils.deploy.finding import Finding, Subject, error, warning
from utils.deploy.models import SD_1_5


def check(subject: Subject) -> Iterator[Finding]:
    """A bucket that the deployment makes itself is only checked for a name that is taken."""
    account, name = subject.account, subject.config.model_bucket
    if subject.makes_bucket:
        there = buckets.is_ours(account, name)
    else:
        buckets.check(account, name, without="Or leave out -b, and one is made and filled.")
        there = True
    missing = [key for key in model_keys(subject) if not (there and buckets.holds(account, name, key))]
    for key in missing:
        if not (subject.makes_bucket and key == SD_1_5.key):
            yield error(
                f"s3://{name}/{key} does not exist, and a runtime loads it when it starts",
                f"aws s3 cp {key.rpartition('/')[2]} s3://{name}/Stable-diffusion/",
                "Or set modelFilename in config.yaml to the name of your model.",
            )
        elif account.partition == "aws-cn":
            yield error(
                "the model hub is not reached from China, so the model bucket cannot be filled",
                "Copy a model from a mirror into your bucket: deploy/upload-model.sh -b BUCKET --url URL",
                "Then name the bucket with -b.",
            )
    if there and not subject.makes_bucket and wants_folders(subject):
        yield from _folders(subject)


def model_keys(subject: Subject) -> list[str]:
    """Keys of the models that WebUIs load when they start, each once."""
    runtimes = subject.config.models_runtime
    names = [one.model_filename for one in runtimes if one.type is RuntimeType.SDWEBUI and one.model_filename]
    return [f"Stable-diffusion/{name}" for name in dict.fromkeys(names)]


def wants_folders(subject: Subject) -> bool:
    """WebUI makes missing folders when it starts, which the read-only mount refuses."""
    return any(one.type is RuntimeType.SDWEBUI for one in subject.config.models_runtime)


def _folders(subject: Subject) -> Iterator[Finding]:
    name = subject.config.model_bucket
    missing = model_folders.missing(subject.account, name)
    if missing:
        yield warning(
            f"s3://{name} lacks the folders {', '.join(missing)}: WebUI cannot make them on its read-only mount, and "
            "does not start; the deployment asks, and puts an empty .keep object into each",
            f"Or do it now: deploy/upload-model.sh -b {name} --folders-only",
        )
