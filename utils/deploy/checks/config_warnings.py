"""What config.yaml says that its writer may want to know."""

from collections.abc import Iterator

from infra.config.warnings import warnings_of
from utils.deploy.finding import Finding, Subject, warning


def check(subject: Subject) -> Iterator[Finding]:
    """The config's own warnings, such as keys of the AWS guidance that have no effect here."""
    for text in warnings_of(subject.config):
        yield warning(text)
