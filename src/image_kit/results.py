"""Results that are too large for a function's answer: objects in S3, and links that open without credentials."""

from http import HTTPStatus

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from contract.errors import Problem
from contract.image_kit import SCALE
from contract.object_keys import RESULTS_PREFIX
from image_kit.errors import KitError
from image_kit.settings import Settings

LINK_SECONDS = 300
"""For how long a link opens."""


class TooLarge(KitError):
    """The result cannot be answered, and there is nowhere to store it."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    type = "output-limit"

    def __init__(self) -> None:
        problem = "the result is larger than an answer may be; send a smaller image, or a task of this type"
        super().__init__(problem, [Problem(SCALE, problem)])


class Results:
    """The bucket that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.results_bucket
        self._region = settings.region

    async def store(self, name: str, image: bytes) -> str:
        """Store the PNG, and return a link to it for LINK_SECONDS. Raises TooLarge where there is no bucket."""
        if self._bucket is None:
            raise TooLarge
        config = AioConfig(signature_version="s3v4")
        async with get_session().create_client("s3", region_name=self._region, config=config) as s3:
            key = f"{RESULTS_PREFIX}/{name}"
            await s3.put_object(Bucket=self._bucket, Key=key, Body=image, ContentType="image/png")
            place = {"Bucket": self._bucket, "Key": key}
            return await s3.generate_presigned_url("get_object", Params=place, ExpiresIn=LINK_SECONDS)
