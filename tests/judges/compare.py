"""What each scanner found in which object: `compare.py SAMPLE FOLDER`. One table on stdout.

SAMPLE is what the test side_by_side has written: each object, the credential and the place in it, and the codes that `keyless
audit` found there. FOLDER holds NAME.json of each scanner, or NAME.missing. Exit code 1: the audit has not found everything.
"""

import json
import pathlib
import re
import sys

# Rules that fire on chance or on a word: they name no kind of credential.
VAGUE = re.compile(r"generic|entropy|kubernetes-secret-yaml", re.IGNORECASE)
# What the name of a rule has to say to be right about a credential.
KINDS = {
    "google": re.compile(r"gcp|google", re.IGNORECASE),
    "aws": re.compile(r"aws", re.IGNORECASE),
    "github": re.compile(r"github", re.IGNORECASE),
    "kubeconfig": re.compile(r"kubeconfig|kube.?config|kubernetes", re.IGNORECASE),
    "registry": re.compile(r"docker|registry", re.IGNORECASE),
    "service": re.compile(r"service.?account.?token|kubernetes", re.IGNORECASE),
}


def gitleaks(report):
    return [(it["File"], it["RuleID"]) for it in report]


def betterleaks(report):
    return [(it["location"]["path"], it["rule_id"]) for it in report["findings"]]


def kingfisher(report):
    return [(it["finding"]["path"], it["rule"]["title"] + " " + it["rule"]["name"]) for it in report["findings"]]


SCANNERS = {"gitleaks 8.30.1": gitleaks, "Betterleaks 2.0.0": betterleaks, "Kingfisher 2.14.0": kingfisher}


def row(name, places, objects, seen, of_kind):
    """`seen` and `of_kind` say whether an object's file was found, and by the right kind."""
    cells, total = [], [0, 0]
    for place in places:
        there = [it for it in objects if it["place"] == place]
        found = [sum(map(seen, there)), sum(map(of_kind, there))]
        total = [total[0] + found[0], total[1] + found[1]]
        cells.append(f"{found[0]} ({found[1]})")
    harmless = [it for it in objects if it["place"] is None]
    alarms = sum(map(seen, harmless))
    count = len(objects) - len(harmless)
    return [name, *cells, f"{total[0]} ({total[1]}) of {count}", f"{alarms} of {len(harmless)}"], total[1] == count and alarms == 0


def scanner(name, read, places, objects, folder):
    path = folder / f"{read.__name__}.json"
    if not path.exists():
        return None
    found = {}
    for file, rule in read(json.loads(path.read_text())):
        found.setdefault(pathlib.PurePath(file).name, set()).add(rule)

    def seen(it):
        rules = found.get(it["file"], set())
        # In what is harmless, whatever fires is an alarm.
        return bool(rules) if it["place"] is None else any(not VAGUE.search(rule) for rule in rules)

    def of_kind(it):
        kind = KINDS[it["credential"].split("-")[0]] if it["credential"] else None
        return kind is not None and any(kind.search(rule) and not VAGUE.search(rule) for rule in found.get(it["file"], ()))

    return row(name, places, objects, seen, of_kind)[0]


def main(sample, folder):
    sample, folder = json.loads(pathlib.Path(sample).read_text()), pathlib.Path(folder)
    places, objects = sample["places"], sample["objects"]
    ours, whole = row(
        "keyless audit",
        places,
        objects,
        lambda it: bool(it["keyless"]),
        lambda it: bool(set(it["keyless"]) & set(it["codes"] or ())),
    )
    rows, missing = [ours], []
    for name, read in SCANNERS.items():
        cells = scanner(name, read, places, objects, folder)
        if cells:
            rows.append(cells)
        else:
            reason = folder / f"{read.__name__}.missing"
            missing.append(f"{name}: {reason.read_text().strip() if reason.exists() else 'no result'}")
    head = ["", *places, "all", "false alarms"]
    widths = [max(len(line[at]) for line in [head, *rows]) for at in range(len(head))]
    for line in [head, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
    print()
    print("Of nine credentials in each place: in how many objects a rule for a kind of credential fired, and in how many (in")
    print("brackets) one for the right kind. A false alarm is an object without anything secret in which any rule fired.")
    for line in missing:
        print(f"Not available: {line}")
    return 0 if whole else 1


sys.exit(main(*sys.argv[1:]))
