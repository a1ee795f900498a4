"""The adapter: one job at a time, sent once, stopped on our word, and checked before it counts."""

import asyncio
import logging
from functools import partial
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientSession
from yarl import URL

from contract.runtimes import RuntimeType
from queue_agent.errors import (
    AgentError,
    Interrupted,
    PermanentError,
    RuntimeBusy,
    RuntimeFault,
    RuntimeUnavailable,
)
from queue_agent.runtimes.base import Job, PreparedJob, Result, RunMonitor
from queue_agent.runtimes.identify import mismatch
from queue_agent.runtimes.sdwebui.answer import Answer
from queue_agent.runtimes.sdwebui.api import Api
from queue_agent.runtimes.sdwebui.content import Request, prepare
from queue_agent.runtimes.sdwebui.faults import API_MISSING
from queue_agent.runtimes.sdwebui.models import FixedModel, Model, Models
from queue_agent.runtimes.sdwebui.names import Names
from queue_agent.runtimes.sdwebui.occupancy import STILL_SECONDS, Occupancy
from queue_agent.runtimes.sdwebui.settings import Settings
from queue_agent.runtimes.versions import check_version

READY_SECONDS = 8.0
"""For the three questions of ``check_ready``: listing models takes seconds when they lie on S3."""

INTERRUPT_SECONDS = 15.0
"""A sampling step that is under way is not cut short; a caller that can wait for a longer one asks again."""

INTERRUPT_EVERY = 0.25
"""WebUI forgets an interrupt that comes before the job has begun, so it is repeated."""

log = logging.getLogger(__name__)


class Adapter:
    """Fulfils ``Runtime``. ``dynamic_model`` lets each job choose the model that the runtime loads; otherwise the model
    that was loaded when WebUI was first seen ready is the runtime's, and is put back when somebody changes it.
    A job of another client that shows nothing new for ``still_seconds`` may have ended."""

    def __init__(
        self, url: URL, session: ClientSession, *, dynamic_model: bool = False, still_seconds: float = STILL_SECONDS
    ) -> None:
        self._url = url
        self._session = session
        self._api = Api(url, session)
        self._models = Models(self._api)
        self._settings = Settings(self._api)
        self._names = Names(self._api)
        self._occupancy = Occupancy(self._api, still_seconds)
        self._fixed = None if dynamic_model else FixedModel(self._models)
        self._generation: asyncio.Task[Any] | None = None
        self._stopped = False
        self._upscales = False
        self.version: str | None = None
        """WebUI's, once an answer has named it."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._forget_generation()
        await self._occupancy.close()
        if self._fixed is not None:
            await self._fixed.close()

    async def check_ready(self) -> None:
        """Ready once it lists a model and its options, runs no job of somebody else, and has its own model loaded."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                models, options, state = await self._look()
        except TimeoutError as error:
            raise RuntimeFault("runtime-silent", f"SD WebUI did not answer within {READY_SECONDS:g} s") from error
        if not isinstance(models, list) or not isinstance(options, dict):
            raise RuntimeFault("bad-answer", "this is no SD WebUI: /sdapi/v1/sd-models or /options has another form")
        if not models:
            raise RuntimeFault("no-model", "SD WebUI has no model; put one into its models/Stable-diffusion folder")
        if self._generation is not None and not self._generation.done():
            return
        if self._occupancy.busy(state):
            raise RuntimeBusy("busy", f"SD WebUI works for another client: {state.get('job') or 'a job'} is running")
        await self._settings.restore()
        if self._fixed is not None:
            await self._fixed.check(models, options)

    async def prepare(self, job: Job) -> PreparedJob:
        return PreparedJob(job, prepare(job))

    async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
        """Send the job once WebUI is idle: it keeps a request whose client left, so none is put behind others."""
        self._stopped = False
        request: Request = prepared.request
        await self._forget_generation()
        await self._occupancy.wait_until_idle(partial(self._waits, monitor))
        if self._stopped:
            raise _interrupted()
        monitor.begin()
        await self._settings.restore()
        model = await self._model_for(request) if request.generates else None
        await self._names.correct_upscalers(request)
        if request.changes_settings:
            await self._settings.note(request.setting_names)
        try:
            answer = Answer(await self._answer_to(request), request, prepared.job)
            await self._check(answer, request, model)
            return answer.result()
        finally:
            if self._settings.changed and self._generation is None:
                await self._restore_settings()

    async def adopt(self, prepared: PreparedJob, job_ref: str, monitor: RunMonitor) -> Result | None:  # noqa: ARG002
        """WebUI gives its jobs no names."""
        return None

    async def interrupt(self) -> bool:
        self._stopped = True
        try:
            async with asyncio.timeout(INTERRUPT_SECONDS):
                return await self._stop()
        except (AgentError, TimeoutError):
            return False

    async def progress(self) -> float | None:
        if self._generation is None:
            return None
        try:
            state = await self._api.state()
        except AgentError:
            return None
        done = state["progress"]
        if not self._occupancy.is_ours(state) or not isinstance(done, (int, float)):
            return None
        begun = 1 / state["job_count"] if self._upscales else 0.0  # WebUI counts an image that it has only begun
        return min(1.0, max(0.0, float(done) - begun))

    async def _look(self) -> tuple[Any, Any, dict[str, Any]]:
        """Models, options and the state of /progress."""
        try:
            models, options = await self._api.get("sd-models"), await self._api.get("options")
            return models, options, await self._api.state()
        except RuntimeFault as fault:
            if fault.type != API_MISSING:
                raise
            if hint := await mismatch(RuntimeType.SDWEBUI, self._url, self._session):
                raise RuntimeFault("wrong-type", f"{fault.message}; {hint}") from fault
            raise

    def _waits(self, monitor: RunMonitor) -> bool:
        """Another client's job runs; whether ours waits for its end."""
        monitor.wait()
        return not self._stopped

    async def _model_for(self, request: Request) -> Model | None:
        """The model that must run, loaded unless the job overrides it; None when the job leaves it open."""
        asked = await self._models.find(request.model) if request.model else None
        if request.override:
            override = await self._models.find(request.override)
            if asked not in {None, override}:
                raise PermanentError(
                    "invalid-request",
                    f"the task asks for two models: {request.model} in alwayson_scripts and {request.override} in "
                    "override_settings",
                )
            request.set_override(override.title)
            return override
        fixed = self._fixed.model if self._fixed is not None else None
        if asked is None:
            return None if request.body.get("script_name") else fixed  # a script may name any model in its answer
        if await self._models.current() == asked:
            return asked
        if self._fixed is not None and (fixed is None or asked.title != fixed.title):
            raise PermanentError(
                "unknown-model",
                f"this runtime keeps its model, which is not {request.model}; send the task to the runtime that has "
                "it, or to one with dynamicModel: true",
            )
        await self._models.load(asked)
        return asked

    async def _answer_to(self, request: Request) -> Any:
        """What WebUI answers. Raises Interrupted once ``interrupt`` was called, whatever the answer: WebUI gives what
        it has begun and does not say so."""
        if self._stopped:
            raise _interrupted()
        self._occupancy.sending()
        self._upscales = not request.generates
        self._generation = asyncio.create_task(self._api.post(request.route, request.payload, seconds=None))
        # A cancelled run leaves the request open: WebUI works on, and its answer shows when it has stopped.
        try:
            answer = await asyncio.shield(self._generation)
        except RuntimeUnavailable:
            self._generation = None
            raise
        except AgentError as fault:
            self._generation = None
            if not request.generates:
                await self._occupancy.clear()
            if self._stopped:
                raise _interrupted() from fault
            raise await self._names.explain(fault, request) from fault
        self._generation = None  # it holds the whole answer, images and all
        if self._stopped:
            raise _interrupted()
        return answer

    async def _check(self, answer: Answer, request: Request, model: Model | None) -> None:
        """Raise unless the answer is whole and what was asked for."""
        state = await self._api.state()
        self._occupancy.note_idle(state)
        answer.check_whole(state)
        self._learn_version(answer.info.get("version"))
        if model is not None:
            await self._check_model(answer, request, model)
        await self._names.check_sampler(request.sampler, answer.info.get("sampler_name"))

    async def _check_model(self, answer: Answer, request: Request, model: Model) -> None:
        if request.model is None and request.override is None and not answer.info:
            return
        try:
            await self._models.check_ran(model, answer.info)
        except RuntimeFault:
            if self._fixed is not None and request.override is None:
                await self._fixed.put_back()
            raise

    def _learn_version(self, version: Any) -> None:
        if isinstance(version, str) and version != self.version:
            check_version(RuntimeType.SDWEBUI, version)
            self.version = version

    async def _restore_settings(self) -> None:
        """After a run, whose outcome does not depend on it; what is not put back keeps the runtime from being ready."""
        try:
            await self._settings.restore()
        except RuntimeFault as fault:
            log.warning(
                "the runtime's settings were not put back; trying again",
                extra={"action": "settings", "cause": fault.message},
            )

    async def _stop(self) -> bool:
        """Interrupt until the job has ended. Somebody else's is left alone: it waits behind ours, or runs while our
        images are being encoded. Raises RuntimeFault when WebUI is not there."""
        while self._generation is not None and not self._generation.done():
            if self._occupancy.is_ours(await self._api.state()):
                await self._api.post("interrupt", {})
            await asyncio.wait([self._generation], timeout=INTERRUPT_EVERY)
        await self._api.state()
        return True

    async def _forget_generation(self) -> None:
        if self._generation is not None:
            self._generation.cancel()
            await asyncio.gather(self._generation, return_exceptions=True)
            self._generation = None


def _interrupted() -> Interrupted:
    return Interrupted("interrupted", "the job was interrupted; what WebUI had begun is not delivered")
