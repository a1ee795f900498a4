"""The sender of webhooks in a process of its own: the Lambda handler behind its queue, with a Lambda's environment."""

import logging
import signal
import threading
import time

import boto3

from contract.json_log import write_to_stdout
from infra.webhooks import CONCURRENCY
from utils.local.event_source import EventSource
from webhook_lambda.handler import WebhookSender
from webhook_lambda.logs import LOGGER
from webhook_lambda.settings import load

STOP_SECONDS = 2.0
"""For the batches to end on a signal."""


def main() -> None:
    """Serve until SIGTERM."""
    settings = load()
    write_to_stdout(LOGGER, settings.log_level)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # The clients are made here, one after the other: threads may share a client, and not the session that makes it.
    session, turn = boto3.Session(), threading.Lock()
    sqs = session.client("sqs", endpoint_url=settings.endpoint_url)
    threads = [
        threading.Thread(
            target=_serve,
            args=(EventSource(sqs, settings.queue_url, sender, turn), sender, stop),
            name=f"batches-{number}",
            daemon=True,
        )
        for number, sender in enumerate(WebhookSender(settings, session) for _ in range(CONCURRENCY))
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    # A receiver may still be slow. The queue ends with the platform, so nobody needs to know what it answers.
    end = time.monotonic() + STOP_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))


def _serve(source: EventSource, sender: WebhookSender, stop: threading.Event) -> None:
    """Each thread is what an execution environment is on Lambda: a handler of its own, one batch at a time."""
    try:
        source.run(stop)
    finally:
        sender.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    main()
