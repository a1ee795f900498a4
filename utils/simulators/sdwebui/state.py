"""What the simulated WebUI is at: the job state that /progress shows, and the model files."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

FIRST_PROGRESS = 0.01
"""What a job that has only just begun shows."""

UNKNOWN_COUNT = -1
"""The real one's ``job_count`` of a job that has not said how many parts it has: it loads its model, for example."""


@dataclass
class Job:
    """The ``state`` of /progress. What a job leaves in it stays until the next one begins, flags included."""

    skipped: bool = False
    interrupted: bool = False
    stopping_generation: bool = False
    job: str = ""
    job_count: int = 0
    job_timestamp: str = "0"
    job_no: int = 0
    sampling_step: int = 0
    sampling_steps: int = 0

    @property
    def stopped(self) -> bool:
        return self.interrupted or self.stopping_generation or self.skipped


@dataclass
class State:
    """The running job, and when it began."""

    job: Job = field(default_factory=Job)
    began: float = 0.0

    def begin(self, name: str, count: int = UNKNOWN_COUNT) -> Job:
        """Start a job of ``count`` parts. An interrupt that came while nothing ran is forgotten here."""
        self.began = time.monotonic()
        self.job = Job(job=name, job_count=count, job_timestamp=datetime.now(UTC).strftime("%Y%m%d%H%M%S"))
        return self.job

    def end(self) -> None:
        self.job.job = ""
        self.job.job_count = 0

    def progress(self) -> dict[str, Any]:
        """The answer of /progress, without the preview."""
        job = self.job
        done = remaining = 0.0
        if job.job_count:
            part = job.sampling_step / job.sampling_steps if job.sampling_steps else 0.0
            known = (job.job_no + part) / job.job_count if job.job_count > 0 else 0.0
            done = min(1.0, FIRST_PROGRESS + known)
            elapsed = time.monotonic() - self.began
            remaining = elapsed / done - elapsed
        return {
            "progress": done,
            "eta_relative": remaining,
            "state": asdict(job),
            "current_image": None,
            "textinfo": None,
        }


@dataclass
class Checkpoint:
    """A model file that is not there. Its hash is known once it was loaded, as with the real one."""

    filename: str
    hashed: bool = False

    @property
    def model_name(self) -> str:
        """The name in lists: with the folder."""
        return str(PurePosixPath(self.filename).with_suffix("")).replace("/", "_")

    @property
    def short_name(self) -> str:
        """The name in ``info``: without the folder."""
        return PurePosixPath(self.filename).stem

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.filename.encode()).hexdigest()

    @property
    def short_hash(self) -> str:
        return self.sha256[:10]

    @property
    def title(self) -> str:
        return f"{self.filename} [{self.short_hash}]" if self.hashed else self.filename

    @property
    def aliases(self) -> Iterator[str]:
        yield from (self.title, self.filename, self.model_name)
        if self.hashed:
            yield from (self.short_hash, self.sha256)

    def as_item(self) -> dict[str, Any]:
        """One item of /sd-models."""
        return {
            "title": self.title,
            "model_name": self.model_name,
            "hash": self.short_hash if self.hashed else None,
            "sha256": self.sha256 if self.hashed else None,
            "filename": f"/simulated/models/Stable-diffusion/{self.filename}",
            "config": None,
        }


class Checkpoints:
    """The model files there are, and the one that is loaded."""

    def __init__(self, filenames: Sequence[str]) -> None:
        self.all = [Checkpoint(filename) for filename in filenames]
        self.loaded = self.all[0]
        self.load(self.loaded)

    def find(self, alias: str) -> Checkpoint | None:
        return next((checkpoint for checkpoint in self.all if alias in checkpoint.aliases), None)

    def closest(self, text: str) -> Checkpoint | None:
        """As override_settings looks for a model: by alias, else by a part of a title."""
        return self.find(text) or next((checkpoint for checkpoint in self.all if text in checkpoint.title), None)

    def load(self, checkpoint: Checkpoint) -> None:
        checkpoint.hashed = True
        self.loaded = checkpoint
