"""Commands for a shell: every script there is, every option one that it knows."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Language, Node, Parser
from tree_sitter_bash import language

from test.docs import awscli, helps
from test.docs.pages import ROOT


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


KUBECTL = _names("""
    annotate api-resources apply attach cluster-info config cordon cp create debug delete describe drain edit events
    exec explain expose get label logs patch port-forward replace rollout run scale set taint top uncordon version wait
""")

EVERYWHERE = _names("""
    base64 cat cd cp curl cut date echo exit export false file grep head kill ls mkdir mktemp mv printf pwd python
    python3 read rm sed seq sleep sort source tail tee test tr trap true unset wait wc xargs
""")
"""What a block that is run may call: what every machine has, and the virtual environment."""

TOOLS = EVERYWHERE | _names("""
    apt-get bash brew docker dnf git helm invokeai-web jq locust mkdocs mypy node npm open openapi-python-client pip
    pytest ruff schemathesis shellcheck sh ssh tar unzip vi watch webui.sh which xdg-open
""")
"""What other blocks may call: programs that a reader may have or install."""

FOREIGN_SCRIPTS = {"main.py"}
"""Of ComfyUI."""

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
    """A simple command: the variables set in front of it, and its words as they are written."""

    variables: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.words[0]

    @property
    def options(self) -> list[str]:
        """``--x=1`` and ``-x`` as ``--x`` and ``-x``."""
        return [word.partition("=")[0] for word in self.words[1:] if re.match(r"--?[A-Za-z]", word)]


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
        if name not in EVERYWHERE | RUNNABLE_SCRIPTS:
            yield f"{name} is not for a block that tests run; put <!-- block: cloud --> or platform above it"


def commands_of(text: str) -> list[Command]:
    """Every simple command, also those inside pipes, loops and substitutions."""
    return [_command(node) for node in _walk(_PARSER.parse(text.encode()).root_node) if node.type == "command"]


def is_project_path(word: str) -> bool:
    """Whether the word can only be a file or folder of this project."""
    return bool(_PATHS.fullmatch(word)) and not _INVENTED.search(word)


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _command(node: Node) -> Command:
    variables, words = [], []
    for child in node.named_children:
        written = (child.text or b"").decode()
        if child.type == "variable_assignment":
            variables.append(written.partition("=")[0])
        elif not child.type.endswith("redirect"):
            words.append(written)
    if words and words[0] in {"sudo", "exec", "time", "bash"} and len(words) > 1 and not words[1].startswith("-"):
        words = words[1:]
    return Command(tuple(variables), tuple(words))


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
    elif name == "aws":
        yield from awscli.problems(command.words)
    elif name == "kubectl":
        yield from _kubectl_problems(command)
    elif "/" in name:
        yield from _script_problems(command, name)
    elif name not in TOOLS and not name.startswith(("$", '"$', "[")):
        yield f"{name} is no program that this check knows; a new one goes into TOOLS of test/docs/commands.py"
    yield from (
        f"{word} is not there" for word in command.words[1:] if is_project_path(word) and not (ROOT / word).exists()
    )


def _script_problems(command: Command, name: str) -> Iterator[str]:
    if name.startswith(("/", "~", "$", '"$')):
        return
    if not (ROOT / name).is_file():
        yield f"{command.name} is not there"
        return
    yield from _known_problems(command, name, helps.of_script(name, command.words[1:]))


def _python_problems(command: Command) -> Iterator[str]:
    words = command.words[1:]
    if words[:1] == ("-m",) and len(words) > 1:
        told = helps.of_module(words[1], words[2] if len(words) > 2 else "")
        if told is None:
            yield f"python -m {words[1]}: there is no such module"
        elif told:
            yield from _known_problems(Command(command.variables, words[1:]), f"python -m {words[1]}", told)
    elif words and words[0].endswith(".py") and words[0] not in FOREIGN_SCRIPTS and not (ROOT / words[0]).is_file():
        yield f"{words[0]} is not there"


def _known_problems(command: Command, name: str, told: str) -> Iterator[str]:
    for word in (*command.options, *command.variables):
        if _AWS_VARIABLES.fullmatch(word):
            continue
        if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", told):
            yield f"{name} --help does not name {word}"


def _kubectl_problems(command: Command) -> Iterator[str]:
    words = iter(command.words[1:])
    for word in words:
        if word in {"-n", "--namespace", "--context", "-f", "-l"}:
            next(words, None)
        elif not word.startswith("-"):
            if word not in KUBECTL:
                yield f"kubectl {word}: there is no such command"
            return
