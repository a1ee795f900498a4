"""Which synchronous routes there are, by the settings."""

from collections.abc import Iterator

import boto3

from contract.image_kit import ROUTES
from frontend_lambda.settings import Settings
from frontend_lambda.sync.image_kit import ImageKitRoute
from frontend_lambda.sync.request import SyncRoute
from frontend_lambda.sync.results import Results, SyncLimits
from frontend_lambda.sync.sagemaker import Endpoint
from frontend_lambda.sync.text_to_image import TextToImageEndpoint, TextToImageTask


class SyncRoutes:
    """Routes by path; each has one method. Safe to use from many threads."""

    def __init__(self, settings: Settings, session: boto3.Session, limits: SyncLimits | None = None) -> None:
        self._routes = {one.path: one for one in _routes(settings, session, limits or SyncLimits())}

    @property
    def paths(self) -> tuple[str, ...]:
        """The resources that are served."""
        return tuple(self._routes)

    def find(self, path: str) -> SyncRoute | None:
        """What answers on ``path``; None for one that is not served."""
        return self._routes.get(path)


def _routes(settings: Settings, session: boto3.Session, limits: SyncLimits) -> Iterator[SyncRoute]:
    kit, text = settings.sync_image_kit, settings.sync_text_to_image
    if kit or text:
        results = Results(settings, session, limits)
    if kit:
        yield from (ImageKitRoute(route, kit, results) for route in ROUTES)
    if text and text.endpoint:
        yield TextToImageEndpoint(text, results, Endpoint(text.endpoint, settings, session, limits.total))
    elif text:
        yield TextToImageTask(text, results)
