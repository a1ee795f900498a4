"""The images that a simulated InvokeAI holds, in memory, and the boards they lie in."""

from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import uuid4

from PIL import Image

from utils.simulators.drawing import encode_png

MAX_RECORDS = 500
"""Images held; the oldest go first. The real one keeps them all on disk, which a long test run would fill."""


class ImageRecordNotFoundException(Exception):
    """The real one's error for an image that it does not have; its name and text reach the queue item."""

    def __init__(self) -> None:
        super().__init__("Image record not found")


def now() -> str:
    """The time as InvokeAI's database writes it: UTC, milliseconds, no zone."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


@dataclass(frozen=True, slots=True)
class Record:
    """One image. ``session_id`` and ``node_id`` are None for an upload."""

    name: str
    data: bytes
    width: int
    height: int
    category: str
    is_intermediate: bool
    created_at: str
    session_id: str | None = None
    node_id: str | None = None
    board_id: str | None = None

    def dto(self) -> dict[str, Any]:
        """The record as the API describes it."""
        return {
            "image_name": self.name,
            "image_url": f"api/v1/images/i/{self.name}/full",
            "thumbnail_url": f"api/v1/images/i/{self.name}/thumbnail",
            "image_origin": "external" if self.node_id is None else "internal",
            "image_category": self.category,
            "width": self.width,
            "height": self.height,
            "created_at": self.created_at,
            "updated_at": self.created_at,
            "deleted_at": None,
            "is_intermediate": self.is_intermediate,
            "session_id": self.session_id,
            "node_id": self.node_id,
            "starred": False,
            "has_workflow": self.node_id is not None,
            "image_subfolder": "",
            "board_id": self.board_id,
        }


class Gallery:
    """Images by name."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self.boards: dict[str, str] = {}
        """Id → name, in the order in which they were made."""

    def add_board(self, name: str) -> str:
        """A new board's id; names may occur twice."""
        board_id = str(uuid4())
        self.boards[board_id] = name
        return board_id

    def names(self, board_id: str | None = None) -> list[str]:
        """The images of the board, or all."""
        return [name for name, record in self._records.items() if board_id in (None, record.board_id)]

    def add(
        self,
        image: Image.Image,
        *,
        is_intermediate: bool,
        category: str = "general",
        session_id: str | None = None,
        node_id: str | None = None,
        board_id: str | None = None,
    ) -> Record:
        """Keep the image, as PNG."""
        record = Record(
            name=f"{uuid4()}.png",
            data=encode_png(image),
            width=image.width,
            height=image.height,
            category=category,
            is_intermediate=is_intermediate,
            created_at=now(),
            session_id=session_id,
            node_id=node_id,
            board_id=board_id,
        )
        self._records[record.name] = record
        while len(self._records) > MAX_RECORDS:
            del self._records[next(iter(self._records))]
        return record

    def get(self, name: str) -> Record:
        """Raises ImageRecordNotFoundException."""
        if name not in self._records:
            raise ImageRecordNotFoundException
        return self._records[name]

    def open(self, name: str) -> Image.Image:
        """The image itself. Raises ImageRecordNotFoundException."""
        return Image.open(BytesIO(self.get(name).data))

    def delete(self, name: str) -> bool:
        """Whether there was such an image."""
        return self._records.pop(name, None) is not None
