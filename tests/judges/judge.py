"""Judges one file: `judge.py FORM FILE [SCHEMA]`. Prints what is wrong; exit code 1 if anything is.

junit FILE XSD          every error that the schema gives
openreports FILE DIR    every document against the schema of its CRD, in which unknown fields are errors
in-toto FILE            as the attestation library reads a Statement, and digests that are digits
sarif FILE              the log of SARIF Multitool: any result in it is a complaint
site FOLDER             every link within the pages leads to a file, and to a place in it
"""

import html.parser
import json
import pathlib
import re
import sys
import urllib.parse


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


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.places = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id" or tag == "a" and name == "name":
                self.places.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def site(folder):
    folder = pathlib.Path(folder).resolve()
    pages = {path: Page(path.read_text()) for path in sorted(folder.rglob("*.html"))}
    errors, count = [], 0
    for path, page in pages.items():
        # It is shown at any address, and says so by a base.
        if path.name in ("404.html", "toc.html"):
            continue
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            count += 1
            file = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            if not file.is_file() or not file.is_relative_to(folder):
                errors.append(f"{path.name}: no file: {link}")
            elif parts.fragment and file.suffix == ".html" and urllib.parse.unquote(parts.fragment) not in pages[file].places:
                errors.append(f"{path.name}: no such place: {link}")
    return errors if count > 500 else [f"only {count} links", *errors]


if __name__ == "__main__":
    form, *arguments = sys.argv[1:]
    problems = {"junit": junit, "openreports": openreports, "in-toto": in_toto, "sarif": sarif, "site": site}[form](*arguments)
    print("\n".join(problems))
    sys.exit(1 if problems else 0)
