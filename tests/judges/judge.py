"""Judges one file: `judge.py FORM FILE [SCHEMA]`. Prints what is wrong; exit code 1 if anything is.

junit FILE XSD          every error that the schema gives
openreports FILE DIR    every document against the schema of its CRD, in which unknown fields are errors
in-toto FILE            as the attestation library reads a Statement, and digests that are digits
sarif FILE              the log of SARIF Multitool: any result in it is a complaint
"""

import json
import pathlib
import re
import sys


def junit(path, schema):
    import xmlschema

    return [str(error.reason) for error in xmlschema.XMLSchema(schema).iter_errors(path)]


def closed(schema):
    """The API server refuses fields that a schema does not declare."""
    if isinstance(schema, dict):
        if "properties" in schema and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
        for value in schema.values():
            closed(value)
    elif isinstance(schema, list):
        for value in schema:
            closed(value)


def openreports(path, folder):
    import jsonschema
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    schemas = {}
    for file in pathlib.Path(folder).glob("*.yaml"):
        crd = yaml.load(file.read_text())
        for version in crd["spec"]["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            closed(schema)
            schema["properties"]["metadata"] = {"type": "object"}
            schemas[crd["spec"]["group"] + "/" + version["name"], crd["spec"]["names"]["kind"]] = schema
    errors, count, names = [], 0, set()
    for document in yaml.load_all(pathlib.Path(path).read_text()):
        count += 1
        kind = document["apiVersion"], document["kind"]
        if kind not in schemas:
            errors.append(f"no CRD has {kind}")
            continue
        for error in jsonschema.Draft7Validator(schemas[kind]).iter_errors(document):
            errors.append(f"{error.json_path}: {error.message[:200]}")
        name = kind, document["metadata"].get("namespace"), document["metadata"]["name"]
        if name in names:
            errors.append(f"twice: {name}")
        names.add(name)
    return errors if count else ["there is no document"]


def in_toto(path):
    from google.protobuf import json_format
    from in_toto_attestation.v1 import statement_pb2
    from in_toto_attestation.v1.statement import Statement

    try:
        message = json_format.Parse(pathlib.Path(path).read_text(), statement_pb2.Statement())
        Statement.copy_from_pb(message).validate()
    except Exception as error:
        return [str(error)]
    digests = [subject.digest["sha256"] for subject in message.subject]
    return [f"no digest: {digest}" for digest in digests if not re.fullmatch("[0-9a-f]{64}", digest)]


def sarif(path):
    log = json.loads(pathlib.Path(path).read_text())
    found = []
    for run in log["runs"]:
        for result in run.get("results", []):
            # Advice, e.g. about a repository that a cluster does not have; and the project names no address.
            if result.get("level", "warning") == "note" or result["message"].get("id") == "Warning_ProvideToolnformationUri":
                continue
            found.append(f"{result['ruleId']} {result.get('level', 'warning')}: {json.dumps(result['message'])[:300]}")
        for invocation in run.get("invocations", []):
            for note in invocation.get("toolExecutionNotifications", []) + invocation.get("toolConfigurationNotifications", []):
                if note.get("level") == "error":
                    found.append(json.dumps(note["message"])[:300])
    return found


if __name__ == "__main__":
    form, *arguments = sys.argv[1:]
    problems = {"junit": junit, "openreports": openreports, "in-toto": in_toto, "sarif": sarif}[form](*arguments)
    print("\n".join(problems))
    sys.exit(1 if problems else 0)
