"""tocsin servicenow test: the whole way to an instance and back, or which link of it is missing."""
import threading

import pytest

from harness.linked import Callback
from harness import wait_until


@pytest.fixture
def linked(system):
    outside = Callback(system)
    outside.servicenow("main", client_id="tocsin-main")
    system.threat_response()
    system.customer("acme")
    system.apply()
    outside.start()
    system.start("incident")
    yield outside
    system.done()


class Instance(threading.Thread):
    """Plays the business rule: tells of the test ticket when it is closed."""

    def __init__(self, outside):
        super().__init__(daemon=True)
        self.outside, self.system = outside, outside.system

    def closed(self):
        for ticket in self.system.sandbox.get("state/servicenow/main")["incidents"]:
            if ticket["correlation_id"].startswith("tocsin-t:test:") and ticket["state"] == "6":
                return ticket
        return None

    def run(self):
        wait_until(self.closed, 20)
        ticket = self.closed()
        answer = self.outside.post("/v1/servicenow/closed", json={
            "instance_name": "main", "table": "incident", "sys_id": ticket["sys_id"],
            "number": ticket["number"], "correlation_id": ticket["correlation_id"], "state": "6"},
            headers={"Authorization": "Bearer " + self.outside.access_token()})
        assert answer.status_code == 202


def results(answer):
    return {check["check"]: check["result"] for check in answer["checks"]}


def test_a_whole_chain(linked):
    instance = Instance(linked)
    instance.start()
    answer = linked.system.tocsin("servicenow", "test", "snow-main", "--wait", "20")
    assert answer["whole"] is True
    assert set(results(answer).values()) == {"yes"}
    (ticket,) = linked.system.sandbox.get("state/servicenow/main")["incidents"]
    assert ticket["state"] == "6" and ticket["short_description"].startswith("TEST ")
    assert linked.system.redis.client.keys(linked.system.key_name("incident:*")) == []


def test_what_is_missing_is_named(linked):
    answer = linked.system.tocsin("servicenow", "test", "snow-main", "--wait", "1", expect=4,
                                  TOCSIN_PUBLIC_URL="http://127.0.0.1:9")
    found = results(answer)
    assert answer["whole"] is False
    assert found["open a ticket"] == found["close it"] == "yes"
    assert found["be told of it"] == "no" and found["callback"] == "no"
    assert found["business rule"] == "unknown"


def test_an_account_without_customers_is_refused(linked):
    linked.system.tocsin("servicenow", "test", "nobody", expect=1)
