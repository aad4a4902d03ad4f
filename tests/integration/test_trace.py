"""One trace from the poll or push that brings an event to the end of its incident: in every stream entry, and
in the log lines of each service."""
import re
import threading
import urllib.parse
import urllib.request

import pytest
import redis

from harness import wait_until
from harness.events import threat_detected
from harness.linked import Callback

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


class Watched:
    """What is added to streams, as Redis sees it: entries are gone when they are settled."""

    def __init__(self, client):
        self.entries = []
        self.monitor = client.monitor()
        self.monitor.__enter__()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        try:
            for command in self.monitor.listen():
                words = re.match(r'XADD (\S+:(raw|findings|actions|closures|orders)) .*?\* (.*)', command["command"],
                                 re.DOTALL | re.IGNORECASE)
                if words:
                    trace = re.search(r"\btrace (\S*)", words[3])
                    self.entries.append((words[2], trace[1] if trace else None))
        except (OSError, ValueError, redis.ConnectionError):
            pass

    def of(self, stream, after=0):
        """Those after the first ones, once there are any: Redis tells us when it has done it."""
        return wait_until(lambda: [trace for name, trace in self.entries if name == stream][after:], 20, stream)


@pytest.fixture
def traced(system):
    outside = Callback.of_acme(system)
    system.env["TOCSIN_LOG_LEVEL"] = "debug"
    system.apply()
    outside.start()
    system.start()
    outside.watched = Watched(system.redis.client)
    yield outside
    system.done()


def logged(system, service, trace_id, words=""):
    """The lines with these words, once there are any: what is done is logged after it."""
    def found():
        lines = [line for process in system.services if process.name == f"tocsin-{service}"
                 for line in process.log_lines()]
        return [line for line in lines if line.get("trace_id") == trace_id and words in line["msg"]]
    return wait_until(found, 20, f"{service} logs {words}")


def incident_in(system, state):
    """The only incident, once it is in that state and nothing is left to do."""
    key, = system.redis.client.keys(system.key_name("incident:????????????????"))
    row = system.redis.client.hgetall(key)
    return system.drained() and row["state"] == state and row


def press_close(traced, ticket):
    """The instance's own rule then calls."""
    traced.system.sandbox.post("accounts", {
        "vendor": "servicenow", "account": "main",
        "business_rule": {"form": "kit", "url": traced.url, "client_id": "tocsin-main", "client_secret": "client-secret",
                          "instance_name": "main", "user": "tocsin"}})
    form = urllib.parse.urlencode({"state": "7", "close_code": "Solution provided", "close_notes": "Done"}).encode()
    urllib.request.urlopen(f"{traced.system.sandbox.url}/snow/main/incident/{ticket}", form, timeout=20).close()


def test_one_event_from_poll_to_ticket_to_close(traced):
    system, watched = traced.system, traced.watched
    system.emit("acme", [threat_detected(0)])
    incident = wait_until(lambda: incident_in(system, "open"), 30, "the ticket is open")
    (raw,), (finding,), opening = watched.of("raw"), watched.of("findings"), watched.of("actions")
    trace_id = raw.split("-")[1]
    assert incident["trace"] == finding and opening
    for trace in (finding, *opening):
        assert re.fullmatch(rf"00-{trace_id}-[0-9a-f]{{16}}-01", trace), trace
    assert len({raw, finding, opening[0]}) == 3, "each step has a span of its own"

    press_close(traced, incident["servicenow.sys_id"])
    wait_until(lambda: incident_in(system, "closed"), 30, "closed")
    closure, = watched.of("closures")
    assert {trace.split("-")[1] for trace in watched.of("actions", after=len(opening))} == {trace_id}

    logged(system, "collector", trace_id, "is queued")
    logged(system, "normalizer", trace_id, "published")
    for words in ("finding opened", "step servicenow.create: ok", "step threat_response.close: ok"):
        logged(system, "incident", trace_id, words)
    # Who closes begins a trace: the ticket does not carry ours. Where the two meet, a line has both.
    meeting, = logged(system, "incident", closure.split("-")[1], "is for incident")
    assert meeting["msg"].endswith(system.fate("acme", threat_detected(0)["id"]).removeprefix("incident:"))
    logged(system, "callback", closure.split("-")[1])


@pytest.mark.parametrize("header, kept", [
    (PARENT, True), (PARENT.upper(), False), (PARENT + "-" + "0" * 4000, False), ("00-" + "0" * 32 + PARENT[35:], False)])
def test_a_pushed_event_goes_on_with_its_senders_trace(traced, header, kept):
    system = traced.system
    secret = system.pusher("acme", "generic", bearer=True)
    system.apply()
    body = {"event_type": "Phishing", "target_device": "pc-17", "raw_observables_string": "x@bad.example"}

    def push():
        return traced.post("/v1/events/acme/generic", json=body,
                           headers={"Authorization": f"Bearer {secret}", "traceparent": header}).status_code == 202
    wait_until(push, 20, "the callback knows the secret")
    incident = wait_until(lambda: incident_in(system, "open"), 30, "the ticket is open")
    ids = {trace.split("-")[1] for name in ("raw", "findings", "actions") for trace in traced.watched.of(name)}
    assert len(ids) == 1 and (ids == {PARENT.split("-")[1]}) == kept
    assert incident["trace"].split("-")[1] in ids and incident["trace"].endswith(PARENT[-3:] if kept else "-01")
    logged(system, "callback", *ids)
