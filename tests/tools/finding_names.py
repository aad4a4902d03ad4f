#!/usr/bin/python3
"""Prints common/model/finding_names.txt from the JSON Schema of an OCSF class.
   finding_names.py detection_finding.schema.json"""
import json
import sys

schema = json.load(open(sys.argv[1], encoding="utf-8"))
defs = schema["$defs"]


def kind(spec):
    """"=name" of an object, "*" of free JSON, nothing of a value; "[]" of a list."""
    if spec.get("type") == "array":
        return kind(spec.get("items", {})) + "[]"
    name = spec.get("$ref", "").rsplit("/", 1)[-1]
    if name in defs and defs[name].get("properties"):
        return "=" + name
    free = name == "type.json_t" or (not name and spec.get("type", "object") == "object")
    return "*" if free or (name in defs and defs[name].get("type") == "object") else ""


def line(name, properties):
    return " ".join([name + ":", *sorted(key + kind(spec) for key, spec in properties.items())])


reached, todo = [], ["finding"]
while todo:
    name = todo.pop(0)
    properties = schema["properties"] if name == "finding" else defs[name]["properties"]
    reached.append(line(name, properties))
    for spec in properties.values():
        target = kind(spec).removesuffix("[]")
        if target.startswith("=") and target[1:] not in todo and \
                not any(row.startswith(target[1:] + ":") for row in reached):
            todo.append(target[1:])
print("root: customer=customer files[] finding=finding hashes[] host=host source")
print("customer: id label minimum_severity_id mode name")
print("host: hostname ip name os uid")
print("\n".join(reached))
