"""The images that a simulated InvokeAI holds, in memory, and the boards they lie in."""

from collections.abc import Callable
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


@dataclass(frozen=True, slots=True)
class Board:
    """A collection of images that has a name."""

    board_id: str
    name: str
    created_at: str

    def dto(self) -> dict[str, Any]:
        """The board as the API describes it, without its counts."""
        return {
            "board_id": self.board_id,
            "board_name": self.name,
            "user_id": "system",
            "created_at": self.created_at,
            "updated_at": self.created_at,
            "deleted_at": None,
            "cover_image_name": None,
            "archived": False,
            "board_visibility": "private",
            "cover_video_name": None,
        }


class Gallery:
    """Images by name."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._on_delete: list[Callable[[str], None]] = []
        self.boards: dict[str, Board] = {}
        """By id, in the order in which they were made."""

    def on_delete(self, listener: Callable[[str], None]) -> None:
        """Call ``listener`` with the name of every image that is deleted."""
        self._on_delete.append(listener)

    def add_board(self, name: str) -> Board:
        """A new board; names may occur twice."""
        board = Board(str(uuid4()), name, now())
        self.boards[board.board_id] = board
        return board

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
            self.delete(next(iter(self._records)))
        return record

    def get(self, name: str) -> Record:
        """Raises ImageRecordNotFoundException."""
        if name not in self._records:
            raise ImageRecordNotFoundException
        return self._records[name]

    def find(self, name: str) -> Record | None:
        return self._records.get(name)

    def open(self, name: str) -> Image.Image:
        """The image itself. Raises ImageRecordNotFoundException."""
        return Image.open(BytesIO(self.get(name).data))

    def delete(self, name: str) -> bool:
        """Whether there was such an image."""
        if self._records.pop(name, None) is None:
            return False
        for listener in self._on_delete:
            listener(name)
        return True
