"""The input, output and temp folders of the simulated ComfyUI. They live in memory, so that a kill leaves nothing."""

import posixpath
import re
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

MAX_KEPT_BYTES = 256 * 1024 * 1024
"""Beyond this the oldest files go, so that a platform that runs for days does not eat the machine's memory."""


class Folder(StrEnum):
    """The three folders, as ``type`` names them on the wire."""

    INPUT = "input"
    OUTPUT = "output"
    TEMP = "temp"


class OutsideFolder(ValueError):
    """A path that leads out of its folder."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file: its folder, its subfolder (``""`` for none) and its name."""

    folder: Folder
    subfolder: str
    filename: str

    @classmethod
    def of(cls, folder: Folder, subfolder: str, filename: str) -> "Place":
        """The normalised place. Raises OutsideFolder."""
        path = posixpath.normpath(posixpath.join(subfolder, filename))
        if path.startswith(("/", "..")) or path == ".":
            raise OutsideFolder(path)
        return cls(folder, *posixpath.split(path))

    @classmethod
    def annotated(cls, text: str) -> "Place":
        """The place that a loader's input names: ``sub/name.png`` or ``sub/name.png [output]``."""
        for folder in Folder:
            if text.endswith(f" [{folder}]"):
                return cls.of(folder, "", text.removesuffix(f" [{folder}]"))
        return cls.of(Folder.INPUT, "", text)

    @property
    def path(self) -> str:
        return posixpath.join("/", self.folder, self.subfolder, self.filename)

    @property
    def entry(self) -> dict[str, str]:
        """As it stands in a node's outputs."""
        return {"filename": self.filename, "subfolder": self.subfolder, "type": self.folder.value}


class Disk:
    """Files by place; the oldest are dropped when they are more than ``limit`` bytes together."""

    def __init__(self, limit: int = MAX_KEPT_BYTES) -> None:
        self._files: OrderedDict[Place, bytes] = OrderedDict()
        self._limit = limit
        self._size = 0

    def write(self, place: Place, data: bytes) -> None:
        self._size += len(data) - len(self._files.pop(place, b""))
        self._files[place] = data
        while self._size > self._limit and len(self._files) > 1:
            _, dropped = self._files.popitem(last=False)
            self._size -= len(dropped)

    def read(self, place: Place) -> bytes | None:
        return self._files.get(place)

    def remove(self, place: Place) -> None:
        """As a person does who tidies the folder: ComfyUI learns nothing of it."""
        self._size -= len(self._files.pop(place))

    def places(self, folder: Folder) -> list[Place]:
        """Every file in the folder and below it, in the order of writing."""
        return [place for place in self._files if place.folder is folder]

    def names(self, folder: Folder) -> list[str]:
        """The files that lie directly in the folder: what the loaders' lists offer."""
        return sorted(place.filename for place in self._files if place.folder is folder and not place.subfolder)

    def next_place(self, folder: Folder, prefix: str, extension: str) -> Place:
        """``{prefix}_{00001}_.{extension}``, one more than the largest number there; the prefix may hold subfolders. As
        with the real one, the number of a removed file is given again."""
        subfolder, stem = posixpath.split(posixpath.normpath(prefix))
        taken = [
            int(place.filename.removeprefix(f"{stem}_").partition("_")[0])
            for place in self._files
            if (place.folder, place.subfolder) == (folder, subfolder)
            and re.match(rf"{re.escape(stem)}_\d+_", place.filename)
        ]
        return Place.of(folder, subfolder, f"{stem}_{max(taken, default=0) + 1:05}_.{extension}")
