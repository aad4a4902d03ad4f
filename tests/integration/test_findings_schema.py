"""The normalizer's golden findings, and what it makes of recorded events, against our own rules and,
where they are at hand, against OCSF's schemas."""
import functools
import importlib.util
import json
import os
import pathlib
import re
import subprocess

import pytest
from jsonschema import Draft202012Validator

from harness.process import ROOT, build_dir

SHARED = ROOT.parent / "shared"
SCHEMAS = pathlib.Path(os.environ.get("TOCSIN_SCHEMAS", SHARED / "schema")) / "ocsf"
SAMPLES = sorted((SHARED / "fixtures/secure-endpoint").glob("amp_events_*.json"))
ALERTS = [path for path in sorted((SHARED / "fixtures/defender").glob("mde_alert*.json"))
          if not any(word in path.name for word in ("request", "files", "empty"))]
UMBRELLA_SAMPLES = sorted((SHARED / "fixtures/umbrella").glob("umbrella_activity_*.json"))
SOURCES = ("secure_endpoint", "defender", "umbrella", "generic", "wazuh")
GOLDEN = sorted(path for source in SOURCES
                for path in (ROOT / "tests/fixtures" / source).glob("*.want.json"))

CAPTIONS = {
    "activity_id": ("activity_name", {1: "Create", 2: "Update", 3: "Close"}),
    "severity_id": ("severity", {0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High",
                                 5: "Critical", 6: "Fatal"}),
    "status_id": ("status", {0: "Unknown", 1: "New", 2: "In Progress", 3: "Suppressed", 4: "Resolved"}),
    "confidence_id": ("confidence", {1: "Low", 2: "Medium", 3: "High"}),
    "action_id": ("action", {1: "Allowed", 2: "Denied", 3: "Observed", 4: "Modified"}),
    "disposition_id": ("disposition", {1: "Allowed", 2: "Blocked", 3: "Quarantined", 4: "Isolated",
                                       5: "Deleted", 9: "Restored", 11: "Corrected",
                                       13: "Uncorrected", 15: "Detected", 16: "No Action",
                                       23: "Challenge"}),
}


def golden_name(path):
    return f"{path.parent.name}-{path.name.removesuffix('.want.json')}"


def findings(results):
    return [result["finding"] for result in results if "finding" in result]


# ---- our own rules ----

def resolve(event, path):
    """Every value that a path of an observable leads to."""
    values = [event]
    for part in path.split("."):
        name, index = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", part).groups()
        values = [value[name] for value in values if isinstance(value, dict) and name in value]
        if index is not None:
            values = [value[int(index)] for value in values if len(value) > int(index)]
    return values


def empty_values(value, path=""):
    if value is None or value == "" or value == {} or value == []:
        yield path
    elif isinstance(value, dict):
        for name, child in value.items():
            if name not in ("unmapped", "data"):  # kept as they came
                yield from empty_values(child, f"{path}.{name}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from empty_values(child, f"{path}[{index}]")


def check_by_hand(event):
    assert (event["class_uid"], event["category_uid"]) == (2004, 2)
    assert event["type_uid"] == 200400 + event["activity_id"]
    assert event["metadata"]["version"] == "1.8.0"
    assert 1e11 < event["time"] < 1e13, "milliseconds"
    assert list(empty_values(event)) == []
    for name, (sibling, captions) in CAPTIONS.items():
        if name in event and event[name] != 99:
            assert event[sibling] == captions[event[name]]
    profiles = set(event["metadata"].get("profiles", []))
    assert ("host" in profiles) == ("actor" in event)
    assert ("incident" in profiles) == bool({"verdict_id", "assignee", "tickets"} & set(event))
    assert ("security_control" in profiles) == bool({"action_id", "disposition_id", "attacks"} & set(event))
    assert event.get("attacks") == event["finding_info"].get("attacks")
    for observable in event.get("observables", []):
        assert observable["value"] in resolve(event, observable["name"])


# ---- OCSF's ----

@functools.cache
def validators():
    names = ("detection_finding.schema.json", "detection_finding.lint.schema.json")
    return [Draft202012Validator(json.loads((SCHEMAS / name).read_text())) for name in names]


@functools.cache
def path_checker():
    spec = importlib.util.spec_from_file_location("check_paths", SCHEMAS / "tools/check_paths.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.check


def check_by_schema(event):
    for validator in validators():
        wrong = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(event)]
        assert wrong == []
    assert path_checker()(event) == []


def normalize(path, *args):
    """What normalize-one prints, a list of results."""
    run = subprocess.run([build_dir() / "normalize-one", *args, path], capture_output=True, text=True,
                         check=False, timeout=60)
    assert run.stderr == ""
    return [json.loads(line) for line in run.stdout.splitlines()]


# ---- the tests ----

def test_there_are_golden_files():
    inputs = sorted(path.with_name(path.name.replace(".in.", ".want.")) for source in SOURCES
                    for path in (ROOT / "tests/fixtures" / source).glob("*.in.json"))
    assert inputs == GOLDEN
    assert sum(len(findings(json.loads(path.read_text()))) for path in GOLDEN) > 50


@pytest.mark.parametrize("path", GOLDEN, ids=golden_name)
def test_golden_by_hand(path):
    for event in findings(json.loads(path.read_text())):
        check_by_hand(event)


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="no OCSF schemas here")
@pytest.mark.parametrize("path", GOLDEN, ids=golden_name)
def test_golden_by_schema(path):
    for event in findings(json.loads(path.read_text())):
        check_by_schema(event)


@pytest.mark.parametrize("asked", [False, True], ids=["usual", "asked"])
@pytest.mark.parametrize("path", GOLDEN, ids=golden_name)
def test_asked_for_by_name_is_always_a_finding(path, asked):
    events = path.with_name(path.name.replace(".want.", ".in."))
    for result in normalize(events, *(["--asked"] if asked else []), "--source", path.parent.name):
        assert result["outcome"] in ({"finding", "refused"} if asked else
                                     {"finding", "refused", "skipped"})
        if result["outcome"] == "finding":
            check_by_hand(result["finding"])
            if SCHEMAS.is_dir():
                check_by_schema(result["finding"])
        else:
            assert result["reason"]


@pytest.mark.skipif(not SAMPLES, reason="no recorded samples here")
@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_recorded_events(path):
    results = normalize(path)
    assert results
    for result in results:
        assert result["outcome"] == "finding" or result["reason"].startswith("not a detection: ")
        if result["outcome"] == "finding":
            check_by_hand(result["finding"])
            check_by_schema(result["finding"])


@pytest.mark.skipif(not ALERTS, reason="no recorded samples here")
@pytest.mark.parametrize("path", ALERTS, ids=[path.stem for path in ALERTS])
def test_recorded_alerts(path):
    results = normalize(path, "--source", "defender")
    assert results
    for result in results:
        assert result["outcome"] == "finding"
        check_by_hand(result["finding"])
        check_by_schema(result["finding"])


@pytest.mark.skipif(not UMBRELLA_SAMPLES, reason="no recorded samples here")
@pytest.mark.parametrize("path", UMBRELLA_SAMPLES, ids=[path.stem for path in UMBRELLA_SAMPLES])
def test_recorded_activity(path):
    results = normalize(path, "--source", "umbrella")
    assert results or not json.loads(path.read_text())["data"]
    for result in results:
        assert result["outcome"] == "finding" or result["reason"].startswith("not a detection: ")
        if result["outcome"] == "finding":
            check_by_hand(result["finding"])
            check_by_schema(result["finding"])
