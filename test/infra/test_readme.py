"""The README of infra/ names what there is."""

import re

from infra.app import ROOT

README = (ROOT / "infra" / "README.md").read_text()


def test_every_construct_of_the_stack_is_in_the_picture() -> None:
    # Given
    stack = "".join(path.read_text() for path in (ROOT / "infra" / "stacks").glob("*.py"))
    made = set(re.findall(r"from infra\.constructs\.\w+ import .*?\b([A-Z]\w+)", stack)) | {"QueueGuard", "NodeDrain"}
    made = {name.removesuffix("Bucket") for name in made} - {"ApiAccess", "BuiltImage", "FunctionSettings", "StackHook"}

    # Then
    picture = README.split("```")[1]
    assert not [name for name in made if not re.search(rf"\b{name}\b", picture)]
