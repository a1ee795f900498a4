"""The embedded AWS: a moto server on a socket that the parent opened, ``python -m utils.local.aws_server FD``.

It keeps everything in memory, so its end is the end of all queues; it is never started again under a running platform.
Requests to DynamoDB are served one at a time: moto looks whether a condition holds and writes in two steps, and lets
two racing writes both win.
"""

import logging
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from utils.local.ports import LOOPBACK

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def application() -> "WSGIApplication":
    """The embedded AWS as a WSGI application."""
    app: WSGIApplication = DomainDispatcherApplication(create_backend_app)
    lock = threading.Lock()

    def serve(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if not environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB"):
            return app(environ, start_response)
        with lock:
            return list(app(environ, start_response))

    return serve


def quiet() -> None:
    """A line for each request tells nobody anything."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)


def main() -> None:
    """Serve until a signal ends the process."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    quiet()
    make_server(LOOPBACK, 0, application(), threaded=True, fd=int(sys.argv[1])).serve_forever()


if __name__ == "__main__":
    main()
