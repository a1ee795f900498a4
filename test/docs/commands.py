"""Commands for a shell: every script and module exists, and its help names every option."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Language, Node, Parser
from tree_sitter_bash import language

from test.docs import awscli, helps, sdoneks
from test.docs.pages import ROOT


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


RUNNABLE = _names("""
    base64 cat cd cp curl cut date echo eval exit export false file grep head kill ls mkdir mktemp mv printf pwd python
    python3 read rm sdoneks sed seq sleep sort source tail tee test tr trap true unset wait wc xargs
""")
"""What a block that is run may call: what every machine has, and the virtual environment."""

RUNNABLE_SCRIPTS = {"test/run.sh"}
"""Our scripts that work on a running platform, and start and change nothing else."""

_PATHS = re.compile(
    r"(\./)?(\.ci|charts|deploy|docs|images|infra|requirements|src|test|utils)/[\w./-]+|mkdocs\.yml|pyproject\.toml"
)
_INVENTED = re.compile(r"\.\.\.|/echo\b")
"""``echo`` is the runtime that the page on new runtimes makes up."""

_AWS_VARIABLES = re.compile(r"AWS_[A-Z_]+|PATH|PYTHONPATH")
_PARSER = Parser(Language(language()))


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command: the variables set in front of it, and its arguments as they are written."""

    variables: tuple[str, ...]
    argv: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.argv[0]

    @property
    def options(self) -> list[str]:
        """``--x=1`` and ``-x`` as ``--x`` and ``-x``."""
        return [argument.partition("=")[0] for argument in self.argv[1:] if re.match(r"--?[A-Za-z]", argument)]


def problems(text: str) -> Iterator[str]:
    """What is wrong with a block that is not run."""
    yield from _syntax_problems(text)
    for command in commands_of(text):
        yield from _command_problems(command)


def runnable_problems(text: str) -> Iterator[str]:
    """What is wrong with a block that is run: it may call nothing that a machine may lack, or that goes further."""
    yield from problems(text)
    for command in commands_of(text):
        name = _bare(command.name)
        if name not in RUNNABLE | RUNNABLE_SCRIPTS:
            yield f"{name} is not for a block that tests run; put <!-- block: cloud --> or platform above it"


def commands_of(text: str) -> list[Command]:
    """Every simple command, also those inside pipes, loops and substitutions."""
    return [_command(node) for node in _walk(_PARSER.parse(text.encode()).root_node) if node.type == "command"]


def is_project_path(text: str) -> bool:
    """Whether the text can only be a file or folder of this project."""
    return bool(_PATHS.fullmatch(text)) and not _INVENTED.search(text)


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _command(node: Node) -> Command:
    variables, argv = [], []
    for child in node.named_children:
        written = (child.text or b"").decode()
        if child.type == "variable_assignment":
            variables.append(written.partition("=")[0])
        elif not child.type.endswith("redirect"):
            argv.append(written)
    if argv and argv[0] in {"sudo", "exec", "time", "bash"} and len(argv) > 1 and not argv[1].startswith("-"):
        argv = argv[1:]
    return Command(tuple(variables), tuple(argv))


def _syntax_problems(text: str) -> Iterator[str]:
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"bash cannot read it: {done.stderr.strip()}"


def _bare(name: str) -> str:
    """A program of the virtual environment by its own name."""
    return name.removeprefix("./").removeprefix(".venv/bin/")


def _command_problems(command: Command) -> Iterator[str]:
    name = _bare(command.name)
    if name in {"python", "python3"}:
        yield from _python_problems(command)
    elif name == "sdoneks":
        yield from sdoneks.problems(command.argv)
    elif name == "aws":
        yield from awscli.problems(command.argv)
    elif "/" in name:
        yield from _script_problems(command, name)
    yield from (
        f"{path} is not there" for path in command.argv[1:] if is_project_path(path) and not (ROOT / path).exists()
    )


def _script_problems(command: Command, name: str) -> Iterator[str]:
    if name.startswith(("/", "~", "$", '"$')):
        return
    if not (ROOT / name).is_file():
        yield f"{command.name} is not there"
        return
    yield from _known_problems(command, name, helps.of_script(name, command.argv[1:]))


def _python_problems(command: Command) -> Iterator[str]:
    argv = command.argv[1:]
    if argv[:1] == ("-m",) and len(argv) > 1:
        help_text = helps.of_module(argv[1], argv[2] if len(argv) > 2 else "")
        if help_text is None:
            yield f"python -m {argv[1]}: there is no such module"
        elif help_text:
            yield from _known_problems(Command(command.variables, argv[1:]), f"python -m {argv[1]}", help_text)
    elif argv and argv[0].endswith(".py") and is_project_path(argv[0]) and not (ROOT / argv[0]).is_file():
        # Other scripts are the reader's own, which a page shows and saves, or those of a runtime.
        yield f"{argv[0]} is not there"


def _known_problems(command: Command, name: str, help_text: str) -> Iterator[str]:
    for option in (*command.options, *command.variables):
        if _AWS_VARIABLES.fullmatch(option):
            continue
        if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", help_text):
            yield f"{name} --help does not name {option}"
