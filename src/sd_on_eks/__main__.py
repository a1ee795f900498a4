"""The command ``sdoneks``, also ``python -m sd_on_eks``."""

import sys

USAGE = 2


def main() -> None:
    """Run the command, and end the process with its exit code."""
    try:
        from sd_on_eks.cli.app import run  # noqa: PLC0415 - its packages may be missing
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.stderr.write(f'sdoneks needs the package {error.name}: pip install "sd-on-eks[cli]"\n')
        sys.exit(USAGE)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
