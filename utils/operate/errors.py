"""Why an operator's command cannot do what it is asked to."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from infra.config.errors import ConfigError
from sd_on_eks.errors import Error
from utils.local.running import NotRunning


class CannotAct(Error):
    """The text says what to change."""


@contextmanager
def reported() -> Iterator[None]:
    """What config.yaml, the local platform and AWS raise, as CannotAct."""
    try:
        yield
    except (ConfigError, NotRunning) as error:
        raise CannotAct(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise CannotAct(f"AWS refused the call: {error}") from error
