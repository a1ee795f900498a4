"""The image kit's requests for the suite; conftest.py says what each name means."""

import base64
from io import BytesIO

from PIL import Image

from contract.runtimes import TaskType
from queue_agent.errors import PermanentError
from queue_agent.runtimes.base import Job


def _image(side: int, *, cut: int = 0) -> str:
    """A PNG as base64, without its last ``cut`` bytes."""
    file = BytesIO()
    Image.new("RGB", (side, side), "teal").save(file, "PNG")
    return base64.b64encode(file.getvalue()[: len(file.getvalue()) - cut]).decode()


def _job(side: int = 32, *, scale: int = 2, cut: int = 0) -> Job:
    content = {"img": _image(side, cut=cut), "scale": scale}
    return Job(id="task", tasktype=TaskType.SUPER_RESOLUTION, content=content)


SUCCESS = _job()
MANY = SUCCESS
MANY_OUTPUTS = 1
CALLERS_ERROR = _job(scale=3)
CALLERS_ERROR_SAYS = "content.scale: must be 2 or 4, got 3"
RUNNING_ERROR = _job(cut=30)
RUNNING_ERROR_FAULT = PermanentError
RUNNING_ERROR_SAYS = "content.img: must be a whole image"
SLOW = _job(1500, scale=4)
