"""Prefect's record of a flow: kept while its server answers, dropped at once when it does not.

The audit needs no server for its own work. But every request to one that died or stalled is repeated for a minute or
more, at the end of a flow and when the interpreter leaves. So it is asked for a sign of life before each request, and
after the first that fails to come nothing is sent any more.

Prefect must be settled (``flows.environment``) before this is imported.
"""

import copy
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import httpx
from prefect import Flow
from prefect.context import SyncClientContext
from prefect.events.clients import NullEventsClient, PrefectEventsClient
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker, set_api_log_sink
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from audit.errors import BiasAuditError
from flows.server import EmbeddedServer, UserServer

# A busy machine takes that long to answer now and then. Once the work is done, nothing else keeps it busy.
START_SECONDS = 30.0
END_SECONDS = 3.0
DELIVERY_SECONDS = 4.0
RETRIES = 2


class NotRecorded(Exception):
    """Prefect's server does not answer; nothing is sent to it any more."""


class Recording:
    """The connection to the server. ``lost`` as soon as it did not answer in time, and for good."""

    def __init__(self, api: EmbeddedServer | UserServer) -> None:
        self.api = api
        self.lost = False
        self._seconds = START_SECONDS

    def hurry(self) -> None:
        """The work is done: from now on the server gets little time."""
        self._seconds = END_SECONDS

    def answers(self) -> bool:
        """Whether the server still answers."""
        if not self.lost and not self.api.answers(self._seconds):
            self.give_up()
        return not self.lost

    def give_up(self) -> None:
        """Send nothing any more; a server of ours that only stalls is ended, and with it whatever waits for it."""
        self.lost = True
        self.api.kill()
        EventsWorker.set_client_override(NullEventsClient)

    def check(self, request: httpx.Request) -> None:
        """Called before a request, and before each time that it is repeated. Raises NotRecorded."""
        if not self.answers():
            raise NotRecorded("Prefect's server does not answer.")
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)

    def log(self, record: dict[str, Any]) -> None:
        """Pass a line of Prefect's log on to the server."""
        if self.answers():
            APILogWorker.instance().send(record)

    def deliver(self) -> None:
        """Send what Prefect still holds back about its runs, before the server goes."""
        self.hurry()
        if self.answers():
            _drain()
            self.answers()


@dataclass
class Ending:
    """How the work of a flow ended, and apart from that, what kept Prefect from recording it."""

    done: bool = False
    error: BaseException | None = None
    unrecorded: Exception | None = None


def call_recorded(record: Recording, flow: Flow[..., Any], arguments: Sequence[object]) -> Ending:
    """Call a flow and have its runs recorded. Raises BiasAuditError when its work was kept from beginning."""
    ending = Ending()
    try:
        with _recording(record):
            _observed(flow, ending, record)(*arguments)
    except Exception as error:
        if record.lost and not ending.done and ending.error is None:
            raise BiasAuditError(
                "Prefect's server stopped answering before the audit could go on; give the same command to resume it."
            ) from error
        if not ending.done and ending.error is None:
            raise
        ending.unrecorded = error
    return ending


@contextmanager
def _recording(record: Recording) -> Iterator[None]:
    """Have Prefect record whatever flow is called in the block."""
    settings: dict[Any, Any] = {PREFECT_API_URL: record.api.url, PREFECT_CLIENT_MAX_RETRIES: RETRIES}
    if record.api.password is not None:
        settings[PREFECT_API_AUTH_STRING] = record.api.password
    with ExitStack() as stack:
        stack.enter_context(temporary_settings(settings))
        stack.callback(EventsWorker.set_client_override, None)
        stack.callback(set_api_log_sink, None)
        stack.callback(record.deliver)
        # What could not be sent at the second attempt waits in the client for the next event.
        EventsWorker.set_client_override(PrefectEventsClient, reconnection_attempts=1)
        set_api_log_sink(record.log)
        context = SyncClientContext()
        # Not among the context's settings: Prefect would then open further clients, without them, beside this one.
        context.client._client.event_hooks = {"request": [record.check]}
        stack.enter_context(context)
        yield


def _observed(flow: Flow[..., Any], ending: Ending, record: Recording) -> Flow[..., Any]:
    """The same flow; how its function ends is written into ``ending``, and the record is hurried from then on."""

    @wraps(flow.fn)
    def work(*arguments: Any, **named: Any) -> Any:
        try:
            result = flow.fn(*arguments, **named)
        except BaseException as error:
            ending.error = error
            raise
        finally:
            record.hurry()
        ending.done = True
        return result

    same = copy.copy(flow)
    same.fn = work
    return same


def _drain() -> None:
    """Have all sent that waits, in the time that there is for it.

    Threads of our own have no event loop. Where one runs, as in Jupyter, Prefect would give out coroutines instead.
    """
    with ThreadPoolExecutor(2) as threads:
        for worker in (APILogWorker, EventsWorker):
            threads.submit(worker.drain_all, DELIVERY_SECONDS)
