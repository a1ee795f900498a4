"""The client's verbs as tools of the Model Context Protocol, for assistants and agents; served on standard input and
output. Needs the package ``mcp``.

A task's id is derived from the arguments of ``submit``: a model that calls it twice with the same arguments gets one
task, and pays once. Files are resources, read by the links in a task's result.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib import metadata
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from mcp_types import CallToolResult, ContentBlock, ResourceLink, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from sd_on_eks.async_client import AsyncClient, AsyncOutput, AsyncTask
from sd_on_eks.config import Config
from sd_on_eks.describing import explained, note
from sd_on_eks.errors import Error, NotFound, WaitTimeout
from sd_on_eks.identity import canonical, derived_id
from sd_on_eks.jobs import Job, JobOptions
from sd_on_eks.models import Runtime, Status, TaskSnapshot

NAME = "sd-on-eks"

DISTRIBUTIONS = ("sd-on-eks", "sd-on-eks-platform")
"""What has installed this package: the client's own distribution, or a checkout."""

INSTRUCTIONS = """\
Generates images with Stable Diffusion on EKS. Call list_runtimes once to see which task types there are, submit a
task, then wait for it. Waiting may need several calls: a GPU node that is started takes minutes. The files of a
completed task are resources; their url opens without a key for some time. submit with the same arguments returns the
same task and costs nothing; raise repetition for another run of the same arguments."""

WAIT_SECONDS = 45.0
"""Less than the minute after which usual hosts give up a call."""

LONGEST_WAIT = 600.0

MAX_READ_BYTES = 16 * 1024 * 1024
"""Of a file that is read as a resource: its Base64 goes through the host's memory as one line."""

EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "application/json": "json",
}
"""Of the types that runtimes make; the others are OTHER. A resource's type follows from its URI."""

OTHER = "bin"

READ_ONLY = ToolAnnotations(read_only_hint=True)
SUBMITS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True)
CANCELS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True)


class Runtimes(BaseModel):
    """The result of ``list_runtimes``."""

    runtimes: list[Runtime]


class Tasks(BaseModel):
    """The result of ``list``, the newest first."""

    tasks: list[TaskSnapshot]


TaskId = Annotated[str, Field(description="The task's id, as submit returned it")]

TaskResult = Annotated[CallToolResult, TaskSnapshot]


class Tools:
    """The tools; each method is one. ``endpoint`` goes into the ids."""

    def __init__(self, client: AsyncClient, endpoint: str) -> None:
        self._client = client
        self._endpoint = endpoint

    async def list_runtimes(self) -> Runtimes:
        """Show the runtimes: their names, task types, tasks waiting, and the seconds until a new task would begin."""
        with _reported():
            return Runtimes(runtimes=await self._client.runtimes())

    async def submit(
        self,
        *,
        tasktype: Annotated[str, Field(description="A task type that list_runtimes shows, such as text-to-image")],
        content: Annotated[
            dict[str, Any],
            Field(
                description="The body that the runtime takes. text-to-image (SD WebUI): prompt, negative_prompt, "
                "width, height, steps, seed. image-to-image: init_images (links) and prompt. pipeline (ComfyUI): a "
                "workflow in API format. Images are links: https, or the s3 of another task's output."
            ),
        ],
        runtime: Annotated[str | None, Field(description="Needed where several runtimes serve the type")] = None,
        labels: Annotated[dict[str, str] | None, Field(description="To find the task by, with list")] = None,
        deadline: Annotated[int | None, Field(description="Seconds after which the task expires")] = None,
        repetition: Annotated[
            int, Field(ge=0, description="Another number is another run of the same arguments, and is paid for again")
        ] = 0,
    ) -> TaskResult:
        """Submit a task and return it at once. The same arguments return the same task: a repeat runs nothing again."""
        options: JobOptions = {}
        if runtime:
            options["runtime"] = runtime
        if labels:
            options["labels"] = labels
        if deadline is not None:
            options["deadline"] = deadline
        asked = canonical(content)
        with _reported():
            request = {"tasktype": tasktype, "content": asked, **options, "repetition": repetition}
            job = Job(tasktype=tasktype, content=asked, id=derived_id(self._endpoint, request))
            return _shown(await self._client.submit(job, **options))

    async def wait(
        self,
        task_id: TaskId,
        context: Context[Any, Any],
        timeout: Annotated[  # noqa: ASYNC109 - ends the requests that the API holds, too
            float, Field(gt=0, le=LONGEST_WAIT, description="Seconds to wait at most")
        ] = WAIT_SECONDS,
    ) -> TaskResult:
        """Wait until the task has ended, and return it. When the time is over it is returned as it is then, queued or
        running: call wait again."""
        with _reported():
            task = await self._client.task(task_id)
            try:
                await _report(context, task)
                async for event in task.events(timeout):
                    task = event
                    await _report(context, task)
            except WaitTimeout as late:
                return _shown(late.task)
            return _shown(task)

    async def get(self, task_id: TaskId) -> TaskResult:
        """Show a task as it is now: its status, progress, error, and files."""
        with _reported():
            return _shown(await self._client.task(task_id))

    async def list_tasks(
        self,
        status: Annotated[Status | None, Field(description="Only in this state")] = None,
        runtime: Annotated[str | None, Field(description="Only of this runtime")] = None,
        labels: Annotated[dict[str, str] | None, Field(description="Only with these labels")] = None,
        limit: Annotated[int, Field(ge=1, le=100, description="Tasks at most")] = 20,
    ) -> Tasks:
        """List the tasks of this API key, the newest first."""
        with _reported():
            found = self._client.tasks(status=status, runtime=runtime, labels=labels, limit=limit)
            return Tasks(tasks=[_snapshot(task) async for task in found])

    async def cancel(self, task_id: TaskId) -> TaskResult:
        """Stop a task: at once while it waits, within seconds while it runs."""
        with _reported():
            return _shown(await (await self._client.task(task_id)).cancel())


def make_server(config: Config) -> MCPServer[None]:
    """The server of the API at ``config``."""
    client = AsyncClient(config.endpoint, config.api_key)

    @asynccontextmanager
    async def lifespan(_: MCPServer[None]) -> AsyncIterator[None]:
        async with client:
            yield

    server: MCPServer[None] = MCPServer(
        NAME, instructions=INSTRUCTIONS, version=_version(), log_level="WARNING", lifespan=lifespan
    )
    tools = Tools(client, config.endpoint)
    server.add_tool(tools.list_runtimes, annotations=READ_ONLY)
    server.add_tool(tools.submit, annotations=SUBMITS)
    server.add_tool(tools.wait, annotations=READ_ONLY)
    server.add_tool(tools.get, annotations=READ_ONLY)
    server.add_tool(tools.list_tasks, name="list", annotations=READ_ONLY)
    server.add_tool(tools.cancel, annotations=CANCELS)
    for media_type, extension in (*EXTENSIONS.items(), ("application/octet-stream", OTHER)):
        uri = f"sdoneks://tasks/{{task_id}}/outputs/{{n}}.{extension}"
        title = f"A file of a task, {media_type}"
        server.resource(uri, name=f"output-{extension}", title=title, mime_type=media_type)(_reader(client, extension))
    return server


def _version() -> str:
    for name in DISTRIBUTIONS:
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return "unknown"


def _reader(client: AsyncClient, extension: str) -> Callable[[str, int], Coroutine[Any, Any, bytes | str]]:
    async def read(task_id: str, n: int) -> bytes | str:
        """The content of a task's file."""
        try:
            output = await _output(client, task_id, n, extension)
            content = await output.bytes()
        except NotFound as error:
            raise ResourceNotFoundError(str(error)) from error
        except Error as error:
            raise ResourceError(str(error)) from error
        return content.decode("utf-8", "replace") if extension == "json" else content

    return read


async def _output(client: AsyncClient, task_id: str, n: int, extension: str) -> AsyncOutput:
    """Raises NotFound, and ResourceError for a file that is too large to be read so."""
    task = await client.task(task_id)
    for output in task.outputs:
        if output.n == n and _extension(output) == extension:
            if output.size > MAX_READ_BYTES:
                raise ResourceError(
                    f"output {n} of task {task_id} has {output.size} bytes, and a resource may have {MAX_READ_BYTES}; "
                    "open the url of the output instead"
                )
            return output
    raise ResourceNotFoundError(f"task {task_id} has no output {n}.{extension}")


async def _report(context: Context[Any, Any], task: AsyncTask) -> None:
    """The revision as the progress, since that never goes back; a task's own does when it is run again."""
    await context.report_progress(task.revision, message=note(task))


def _extension(output: AsyncOutput) -> str:
    return EXTENSIONS.get(output.type, OTHER)


def _snapshot(task: AsyncTask) -> TaskSnapshot:
    return TaskSnapshot.model_validate(task.model_dump(by_alias=True))


def _shown(task: AsyncTask) -> CallToolResult:
    """The task, and a link to each of its files."""
    content: list[ContentBlock] = [TextContent(type="text", text=task.model_dump_json(by_alias=True))]
    content += [
        ResourceLink(
            type="resource_link",
            uri=f"sdoneks://tasks/{task.id}/outputs/{output.n}.{_extension(output)}",
            name=output.name,
            mime_type=output.type,
            size=output.size,
        )
        for output in task.outputs
    ]
    return CallToolResult(content=content, structured_content=task.model_dump(mode="json", by_alias=True))


@contextmanager
def _reported() -> Iterator[None]:
    """What is wrong, for the model to read."""
    try:
        yield
    except Error as error:
        raise ToolError("; ".join(explained(error))) from error
