"""The adapter: one job at a time, sent once, stopped on our word, and checked before it counts."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientSession
from yarl import URL

from queue_agent.errors import AgentError, Interrupted, PermanentError, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import Job, PreparedJob, Result, RunMonitor
from queue_agent.runtimes.sdwebui.answer import Answer
from queue_agent.runtimes.sdwebui.api import Api
from queue_agent.runtimes.sdwebui.content import Request, prepare
from queue_agent.runtimes.sdwebui.models import Model, Models

READY_SECONDS = 5.0

INTERRUPT_SECONDS = 15.0
"""A sampling step that is under way is not cut short; a caller that can wait for a longer one asks again."""

INTERRUPT_EVERY = 0.25
"""WebUI forgets an interrupt that comes before the job has begun, so it is repeated."""

IDLE_HOLDS_SECONDS = 0.1
"""For how long a WebUI that was seen idle counts as idle: between two tasks of a busy agent each question would cost
GPU time."""

SAMPLER_WORDS, UPSCALER_WORDS = "Sampler not found", "could not find upscaler named "


class Adapter:
    """Fulfils ``Runtime``. ``dynamic_model`` lets each job choose the model that the runtime loads."""

    def __init__(self, url: URL, session: ClientSession, *, dynamic_model: bool = False) -> None:
        self._api = Api(url, session)
        self._models = Models(self._api)
        self._dynamic_model = dynamic_model
        self._generation: asyncio.Task[Any] | None = None
        self._strangers_job: str | None = None
        self._seen_idle: float | None = None
        self._stopped = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._forget_generation()

    async def check_ready(self) -> None:
        """Ready once it lists a model and its options."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                models = await self._api.get("sd-models")
                options = await self._api.get("options")
        except TimeoutError as error:
            raise RuntimeFault("runtime-silent", f"SD WebUI did not answer within {READY_SECONDS:g} s") from error
        if not isinstance(models, list) or not isinstance(options, dict):
            raise RuntimeFault("bad-answer", "this is no SD WebUI: /sdapi/v1/sd-models or /options has another form")
        if not models:
            raise RuntimeFault("no-model", "SD WebUI has no model; put one into its models/Stable-diffusion folder")

    async def prepare(self, job: Job) -> PreparedJob:
        return PreparedJob(job, prepare(job))

    async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
        self._stopped = False
        await self._forget_generation()
        request: Request = prepared.request
        monitor.begin()
        model = await self._model_for(request) if request.generates else None
        answer = Answer(await self._answer_to(request), request, prepared.job)
        state = await self._api.state()
        self._seen_idle = None if state.get("job_count") else asyncio.get_running_loop().time()
        answer.check_whole(state)
        if model is not None:
            await self._models.check_ran(model, answer.info)
        await self._check_sampler(request.sampler, answer.info.get("sampler_name"))
        return answer.result()

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
        try:
            state = await self._api.state()
        except AgentError:
            return None
        done = state["progress"]
        if not state.get("job_count") or self._is_strangers(state) or not isinstance(done, (int, float)):
            return None
        return min(1.0, max(0.0, done))

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
        if asked is None or await self._models.current() == asked:
            return asked
        if not self._dynamic_model:
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
        interrupted = Interrupted("interrupted", "the job was interrupted; what WebUI had begun is not delivered")
        self._strangers_job = await self._running_job()
        if self._stopped:
            raise interrupted
        self._generation = asyncio.create_task(self._api.post(request.route, request.body, seconds=None))
        try:
            # A cancelled run leaves the request open: WebUI works on, and its answer shows when it has stopped.
            answer = await asyncio.shield(self._generation)
        except RuntimeUnavailable:
            raise
        except AgentError as fault:
            if self._stopped:
                raise interrupted from fault
            raise await self._explained(fault, request) from fault
        if self._stopped:
            raise interrupted
        self._generation = None  # it holds the whole answer, pictures and all
        return answer

    async def _running_job(self) -> str | None:
        """The job that is there before ours; not asked for when none was there a moment ago."""
        if self._seen_idle is not None and asyncio.get_running_loop().time() - self._seen_idle < IDLE_HOLDS_SECONDS:
            return None
        state = await self._api.state()
        return state.get("job_timestamp") if state.get("job_count") else None

    async def _stop(self) -> bool:
        """Interrupt until the job has ended, then wait until nothing runs."""
        while self._generation is not None and not self._generation.done():
            state = await self._api.state()
            if state.get("job_count") and not self._is_strangers(state):
                await self._api.post("interrupt", {})
            await asyncio.wait([self._generation], timeout=INTERRUPT_EVERY)
        while (await self._api.state()).get("job_count"):  # noqa: ASYNC110 - WebUI tells no other way
            await asyncio.sleep(INTERRUPT_EVERY)
        return True

    def _is_strangers(self, state: Mapping[str, Any]) -> bool:
        """Whether the running job was there before ours: WebUI may serve a person, too, and interrupts name no job."""
        return self._strangers_job is not None and state.get("job_timestamp") == self._strangers_job

    async def _forget_generation(self) -> None:
        if self._generation is not None:
            self._generation.cancel()
            await asyncio.gather(self._generation, return_exceptions=True)
            self._generation = None

    async def _check_sampler(self, asked: str | None, ran: str | None) -> None:
        """Raise PermanentError when WebUI did not know the sampler and took another, as Forge does without a word.
        Newer versions run ``DPM++ 2M Karras`` as the sampler ``DPM++ 2M`` with the schedule ``Karras``."""
        if asked is None or ran is None or asked == ran:
            return
        names = await self._names("samplers")
        if not names or asked in names:
            return
        schedules = await self._names("schedulers")
        if asked.casefold() not in {f"{ran} {schedule}".casefold() for schedule in schedules}:
            raise _unknown("sampler", asked, names)

    async def _explained(self, fault: AgentError, request: Request) -> AgentError:
        """The fault with the names there are, when an unknown one is its cause."""
        if SAMPLER_WORDS in fault.message and request.sampler:
            names = await self._names("samplers")
            return _unknown("sampler", request.sampler, names) if names else fault
        if UPSCALER_WORDS in fault.message:
            names = await self._names("upscalers")
            return _unknown("upscaler", fault.message.partition(UPSCALER_WORDS)[2].strip(), names) if names else fault
        return fault

    async def _names(self, route: str) -> list[str]:
        """All names of what the route lists; none when it does not answer."""
        try:
            items = await self._api.get(route)
            return [
                name
                for item in items
                for name in (item["name"], item.get("label"), *(item.get("aliases") or ()))
                if name
            ]
        except (AgentError, KeyError, TypeError):
            return []


def _unknown(kind: str, name: str, names: list[str]) -> PermanentError:
    return PermanentError(f"unknown-{kind}", f"there is no {kind} {name!r}; there are: {', '.join(names)}")
