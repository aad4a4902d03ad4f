"""The golden CTIM bundles of the incident service against the schemas, where those are at hand."""
import json
import os
import pathlib

import jsonschema
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMAS = pathlib.Path(os.environ.get("TOCSIN_SCHEMAS", ROOT.parent / "shared" / "schema")) / "ctim/strict"
BUNDLES = sorted((ROOT / "tests/fixtures/incident").glob("*/bundle.json"))


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="no CTIM schemas here")
@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.parent.name)
def test_golden_bundle(path):
    bundle = json.loads(path.read_text())
    for kind in ("incident", "sighting", "relationship"):
        schema = json.loads((SCHEMAS / f"{kind}.schema.json").read_text())
        (entity,) = bundle[f"{kind}s"]
        jsonschema.Draft202012Validator(schema).validate(entity)
        assert all(xid.startswith("tocsin-") for xid in entity["external_ids"])
        assert sum(xid.startswith("tocsin-i:") for xid in entity["external_ids"]) == 1
    assert set(bundle) == {"type", "source", "incidents", "sightings", "relationships"}
    assert len(bundle["incidents"][0]["description"].encode()) <= 5000
    assert len(bundle["incidents"][0]["title"].encode()) <= 1024


def test_there_are_bundles():
    assert BUNDLES
