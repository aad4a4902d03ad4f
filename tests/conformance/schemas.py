"""The published schemas, when they are at hand: OCSF findings and CTIM bundles."""
import json
import pathlib

import jsonschema


class Schemas:
    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.finding = load(folder / "ocsf" / "detection_finding.schema.json")
        self.bundle = load(folder / "ctim" / "strict" / "bundle.schema.json")
        known = [name for name, schema in (("OCSF", self.finding), ("CTIM strict", self.bundle)) if schema]
        self.said = f"checked against {' and '.join(known)}" if known else "no schemas at hand"

    def finding_problems(self, payload):
        return problems(self.finding, json.loads(payload))

    def bundle_problems(self, body):
        return problems(self.bundle, json.loads(body))


def load(path):
    if not path.exists():
        return None
    schema = json.loads(path.read_text())
    return jsonschema.Draft202012Validator(schema)


def problems(validator, document):
    if validator is None:
        return []
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:160]}"
            for error in list(validator.iter_errors(document))[:3]]
