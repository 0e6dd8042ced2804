"""What processes look for, open, write and connect to, as the kernel saw it (strace)."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_CALLS = "open,openat,stat,lstat,newfstatat,access,mkdir,connect,sendto,sendmsg,sendmmsg,execve"
_CALL = re.compile(r"(?P<process>\d+) +(?P<name>\w+)\((?P<rest>.*)", re.DOTALL)
_RESUMED = re.compile(r"(?P<process>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_FIRST_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)(?:<(?P<folder>[^>]*)>)?, )?"(?P<path>(?:[^"\\]|\\.)*)"')
_OPENED = re.compile(r"\) += \d+<(?P<path>.*)>$")
_ADDRESS = re.compile(r'inet_addr\("(?P<four>[^"]+)"\)|inet_pton\(AF_INET6, "(?P<six>[^"]+)"')
_PORT = re.compile(r"sin6?_port=htons\((?P<port>\d+)\)")
_LOOKS = frozenset(("open", "openat", "stat", "lstat", "newfstatat", "access"))
_DOMAIN_NAME_SERVICE = (53, 5353)


@dataclass(frozen=True)
class Call:
    """One system call: its name, and its arguments and result as strace prints them."""

    name: str
    rest: str

    @property
    def path(self) -> Path | None:
        """The path that it is about, as absolute as it is known; None for other calls."""
        found = _FIRST_PATH.match(self.rest)
        return Path(found["folder"] or "", found["path"]) if found and found["path"] else None

    @property
    def is_relative(self) -> bool:
        """Whether it starts from the working folder."""
        found = _FIRST_PATH.match(self.rest)
        return bool(found) and not found["path"].startswith("/") and not self.rest[0].isdigit()

    @property
    def is_look(self) -> bool:
        """Whether it asks for a file, there or not."""
        return self.name in _LOOKS

    @property
    def opened(self) -> Path | None:
        """The file that it opened."""
        found = _OPENED.search(self.rest) if self.name.startswith("open") else None
        return Path(found["path"]) if found else None

    @property
    def made(self) -> Path | None:
        """The file or folder that it made, or opened to write into."""
        if self.name == "mkdir" and self.rest.endswith(" = 0"):
            return self.path
        writes = re.search(r"O_CREAT|O_WRONLY|O_RDWR", self.rest)
        return self.opened if writes else None

    @property
    def away(self) -> str:
        """The address on another machine that it is sent to, or that of a name server anywhere; empty if none."""
        address, port = _ADDRESS.search(self.rest), _PORT.search(self.rest)
        if self.name in _LOOKS or address is None or port is None:
            return ""
        host = address["four"] or address["six"]
        here = host == "::1" or host.removeprefix("::ffff:").startswith("127.")
        return "" if here and int(port["port"]) not in _DOMAIN_NAME_SERVICE else f"{host} port {port['port']}"

    @property
    def is_loopback(self) -> bool:
        """Whether it connects to this machine by an address."""
        return self.name == "connect" and bool(_ADDRESS.search(self.rest)) and not self.away


@cache
def can_trace() -> bool:
    """Whether strace is here and may trace."""
    strace = shutil.which("strace")
    return strace is not None and not subprocess.run([strace, "-qq", "-o", "/dev/null", "true"], check=False).returncode


def traced(
    command: Sequence[str], log: Path, folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder and write the calls of it and its children into ``log``."""
    strace = ["strace", "--seccomp-bpf", "-f", "-qq", "-y", "-s", "4096", "-o", str(log), "-e", f"trace={_CALLS}"]
    return subprocess.run(
        [*strace, *command], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def calls_in(log: Path) -> Iterator[Call]:
    """The calls in a log, those that another process interrupted put together."""
    waiting: dict[str, tuple[str, str]] = {}
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if resumed := _RESUMED.match(line):
                name, begun = waiting.pop(resumed["process"], ("", ""))
                yield Call(name, begun + resumed["rest"])
            elif call := _CALL.match(line):
                if line.endswith(_UNFINISHED):
                    waiting[call["process"]] = call["name"], call["rest"].removesuffix(_UNFINISHED)
                else:
                    yield Call(call["name"], call["rest"])
