"""Recorded refusals of ServiceNow and Threat Response where an answer is awaited.

Each is given in place of the first few answers of an instance or organisation of its own, whatever
was asked, while two problems are opened there. Afterwards there must be exactly one incident for
each problem on both sides, and nothing may be dead. Recorded successes are no answer to what we ask
and are not replayed."""
import json
import re
import time

from harness import System, wait_until
from harness.events import threat_detected

STRIKES = 5
FOLDERS = {"servicenow": "servicenow", "threat-response": "threat_response"}


def recorded_answer(path):
    """(status, content type, text) as recorded; the status is in the name, or in the body."""
    text = path.read_text(errors="replace")
    code = re.search(r"[_.](?:status)?([1-5]\d\d)(?=[_.])", path.name)
    status = int(code[1]) if code else 200
    try:
        body = json.loads(text)
        if not code and isinstance(body, dict) and isinstance(body.get("status"), int):
            status = body["status"]
    except ValueError:
        pass
    return status, "text/html" if path.suffix == ".html" else "application/json", text


class AnswerSamples:
    """All files at once: every one has a customer, an instance and an organisation of its own."""

    def __init__(self, folder, samples):
        folder.mkdir()
        self.system = System(folder)
        self.files = {}
        paths = [path for name in FOLDERS for path in sorted(samples.glob(f"{name}/*"))
                 if re.search("error|hibernating|empty|denied", path.name)]
        for number, path in enumerate(paths):
            self.add(f"a{number}", path)
        self.system.apply()
        self.system.start(TOCSIN_INCIDENT_THREADS="64")
        for number, customer in enumerate(self.files):
            self.system.emit(customer, self.events(number))

    def add(self, customer, path):
        system, vendor = self.system, FOLDERS[path.parent.name]
        status, content_type, text = recorded_answer(path)
        system.servicenow(customer)
        system.threat_response(f"xdr-{customer}")
        system.customer(customer, instance=customer, xdr=f"xdr-{customer}")
        account = customer if vendor == "servicenow" else f"client-xdr-{customer}"
        system.sandbox.fault(vendor=vendor, account=account, kind="reply", status=status,
                             content_type=content_type, body=text, count=STRIKES)
        self.files[customer] = path

    @staticmethod
    def events(number):
        return [threat_detected(number * 10), threat_detected(number * 10 + 1)]

    def run(self):
        """Yields (path, problems, what happened)."""
        end = time.monotonic() + 120
        for number, (customer, path) in enumerate(self.files.items()):
            events = self.events(number)
            try:
                wait_until(lambda: self.system.settled(customer, events),
                           max(1, end - time.monotonic()), "both incidents are open")
                problems = self.duplicates(customer)
            except AssertionError as error:
                problems = [str(error), str(self.steps(customer, events))]
            status = recorded_answer(path)[0]
            yield path, problems, f"as {status} in place of any answer: two problems, two incidents"
        if self.system.length("dead"):
            yield path, [f"{self.system.length('dead')} dead entries"], ""

    def duplicates(self, customer):
        summary = self.system.summary()
        sides = (summary["servicenow"][customer],
                 summary["threat_response"][f"client-xdr-{customer}"])
        return [f"{side['incidents']} incidents, repeated {side['duplicates']}"
                for side in sides if side["incidents"] != 2 or side["duplicates"]]

    def steps(self, customer, events):
        return {key: value for event in events
                for key, value in self.system.incident_of(customer, event).items()
                if key.startswith("step.") and " done " not in f" {value}" or key == "reason"}

    def close(self):
        self.system.done()
