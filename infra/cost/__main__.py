"""``python -m infra.cost``."""

import sys

from infra.cost.estimate import main

if __name__ == "__main__":
    sys.exit(main())
