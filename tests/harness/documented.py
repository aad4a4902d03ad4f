"""The keys that docs/streams.md tells of: what a test leaves in Redis has to be among them."""
import functools
import pathlib
import re

STREAMS = pathlib.Path(__file__).parents[2] / "docs" / "streams.md"


@functools.cache
def patterns():
    """The first column of both tables: `<...>` stands for anything without colons; an event id may have some."""
    found = []
    tables = re.findall(r"^\| (?:stream|key) \|.*\n((?:\|.*\n)+)", STREAMS.read_text(), re.MULTILINE)
    for row in re.findall(r"^\| (`.*?) \|", "".join(tables), re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", row):
            pattern = re.sub(r"<[^>]+>", "[^:]+", re.sub(r"<event id>", ".+", name))
            found.append(re.compile(pattern if name.startswith("tocsin:") else r"tocsin:\{p\d+\}:" + pattern))
    return found


def undocumented(client):
    return [key for key in client.scan_iter("tocsin:*", count=1000)
            if not any(pattern.fullmatch(key) for pattern in patterns())]
