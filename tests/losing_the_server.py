"""The command line with stand-in stages; ``WHEN`` its moment comes, Prefect's server gets the signal ``LOSS``.

The moments: ready (before the flow begins), work (in the middle of it), end (after the work, before Prefect records
that it ended), delivery (before the record's last events are sent). The server's process is printed.
"""

import os
import signal
import time

import standin_stages

from audit import stages
from flows.server import EmbeddedServer, UserServer

servers = [int(os.environ["SERVER"])] if "SERVER" in os.environ else []


def lose(moment):
    if moment == os.environ["WHEN"] and servers:
        print(servers[-1], flush=True)
        os.kill(servers.pop(), signal.Signals[os.environ["LOSS"]])
        time.sleep(0.5)


def before(moment, owner, name):
    """Have the server lost at that moment, just before ``owner``'s function is called."""
    function = getattr(owner, name)

    def call(*arguments):
        lose(moment)
        return function(*arguments)

    setattr(owner, name, call)


def ready(server, wait=EmbeddedServer.wait_ready):
    url = wait(server)
    servers.append(server._process.pid)
    at_the_moments()
    lose("ready")
    return url


def at_the_moments():
    from flows import recording

    before("end", recording.Recording, "hurry")
    before("delivery", recording, "_drain")


if __name__ == "__main__":
    EmbeddedServer.wait_ready = ready
    if servers:
        before("ready", UserServer, "wait_ready")
    before("work", standin_stages, "work")
    stages.STAGES, stages.REPORT = standin_stages.STAGES, standin_stages.REPORT
    from flows.cli import main

    main()
