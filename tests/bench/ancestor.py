#!/usr/bin/python3
"""The way it was done before: a script that maps events and posts tickets one by one.

    ancestor.py URL USER PASSWORD EVENTS.ndjson

Prints one JSON line: tickets, seconds, and the CPU milliseconds each cost this process."""
import json
import resource
import sys
import time

import requests

SEVERITY = {"Low": ("3", "3"), "Medium": ("3", "2"), "High": ("2", "2"), "Critical": ("2", "1")}


def ticket(event):
    """About what the incident service puts into a ticket."""
    computer = event.get("computer", {})
    file = event.get("file", {})
    identity = file.get("identity", {})
    observables = [("sha256", identity.get("sha256")), ("sha1", identity.get("sha1")),
                   ("md5", identity.get("md5")), ("file_name", file.get("file_name")),
                   ("hostname", computer.get("hostname")), ("ip", computer.get("external_ip"))]
    observables += [("ip", a.get("ip")) for a in computer.get("network_addresses", [])]
    facts = "\n".join(f"{kind}: {value}" for kind, value in observables if value)
    impact, urgency = SEVERITY.get(event.get("severity"), ("3", "2"))
    title = (f"[Acme] - New Cisco Secure event [{event.get('event_type')}] event for "
             f"[{computer.get('hostname')}] @ [{event.get('date')}] [SecureX]")
    return {"short_description": title[:160], "description": event.get("detection", ""),
            "impact": impact, "urgency": urgency, "caller_id": "a" * 32, "company": "b" * 32,
            "correlation_id": f"{event.get('detection_id')}-{event.get('id')}",
            "work_notes": f"Customer: Acme\nEvent type: {event.get('event_type')}\n{facts}"}


def main():
    url, user, password, path = sys.argv[1:5]
    session = requests.Session()
    session.auth = (user, password)
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.monotonic()
    count = 0
    with open(path) as lines:
        for line in lines:
            answer = session.post(url, json=ticket(json.loads(line)), timeout=30)
            answer.raise_for_status()
            count += 1
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    print(json.dumps({"tickets": count, "seconds": time.monotonic() - start,
                      "cpu_ms_each": cpu * 1000 / max(1, count)}))


main()
