"""The embedded AWS: a moto server on a socket that the parent opened, ``python -m utils.local.aws_server FD``.

It keeps everything in memory, so its end is the end of all queues; it is never started again under a running platform.
"""

import logging
import sys

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from utils.local.ports import LOOPBACK


def main() -> None:
    """Serve until a signal ends the process."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    app = DomainDispatcherApplication(create_backend_app)
    make_server(LOOPBACK, 0, app, threaded=True, fd=int(sys.argv[1])).serve_forever()


if __name__ == "__main__":
    main()
