"""Runs in a process of its own, by `metadata.describe`: MediaInfo on the object behind one loopback address.

The library may follow what a file points to (playlists, reference files), by curl or by name. So it gets
bytes, never an address; and once the connection stands, the process may open nothing more, neither file
nor socket. What it reads is bounded. Prints {"mediainfo": …, "ebucore": …}.
"""

import http.client
import json
import os
import resource
import sys
from urllib.parse import urlsplit

from pymediainfo import MediaInfo

BUFFER = 256 << 10
MOST_BYTES = 96 << 20


class Remote:
    """As much of a binary file as pymediainfo uses, read by ranges over one connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.path = parts.path
        self.position = self.read_bytes = 0
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self.connection.request("HEAD", self.path)
        answer = self.connection.getresponse()
        answer.read()
        self.size = int(answer.headers["Content-Length"])

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.position = offset + (self.size if whence == os.SEEK_END else 0)
        return self.position

    def tell(self) -> int:
        return self.position

    def read(self, count: int) -> bytes:
        """The next bytes; none at the end, and none when enough were read."""
        end = min(self.size, self.position + count)
        if self.position >= end or self.read_bytes >= MOST_BYTES:
            return b""
        self.connection.request("GET", self.path, headers={"Range": f"bytes={self.position}-{end - 1}"})
        block = self.connection.getresponse().read()
        self.position += len(block)
        self.read_bytes += len(block)
        return block


def lock_down() -> None:
    """Allow no descriptor beyond those that are open now."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    ends = 1 + max(number for number in range(most) if is_open(number))
    resource.setrlimit(resource.RLIMIT_NOFILE, (ends, ends))


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def main() -> None:
    MediaInfo.can_parse()  # loads the library while files may be opened
    remote = Remote(sys.argv[1])
    lock_down()
    found = {}
    for name, output in (("mediainfo", "JSON"), ("ebucore", "EBUCore_JSON")):
        remote.read_bytes = 0
        found[name] = json.loads(
            MediaInfo.parse(remote, output=output, full=False, parse_speed=0.25, buffer_size=BUFFER)
        )
    json.dump(found, sys.stdout)


main()
