"""The figures of `keyless setup` over a long wire, and at Google of the same steps by gcloud: what the program in setup/ measures."""

import json
import os
import subprocess
import sys

from rows import Row

# What is to be reached.
TIMES_THE_CHAIN = 1.2
TIMES_THE_CHAIN_ELSEWHERE = 1.3
TIMES_FASTER = 10


def rows(keyless, runs):
    return at_google(keyless, runs) + at(keyless, runs, "aws") + at(keyless, runs, "entra")


def at_google(keyless, runs):
    figures = measured(keyless, runs)
    ours, theirs = figures["ours"], figures["theirs"]
    faster = [script / own for own, script in zip(ours, theirs)]
    own = beside_chain(figures, TIMES_THE_CHAIN)
    if figures["gcloud"]:
        return own + [
            Row(f"the same steps by {figures['gcloud']}", theirs, "s", 1),
            Row("times faster", faster, "×", 1, at_least=TIMES_FASTER),
        ]
    return own + [
        Row("the same steps by gcloud: not installed", None, "", 0),
        Row("  the requests that it was recorded to send", theirs, "s", 2),
        Row("  times faster than these", faster, "×", 1),
    ]


def at(keyless, runs, provider):
    return beside_chain(measured(keyless, runs, provider), TIMES_THE_CHAIN_ELSEWHERE)


def measured(keyless, runs, *provider):
    command = [os.environ["BENCH_SETUP"], keyless, str(runs), *provider]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if ran.returncode:
        sys.exit("bench: setup could not be measured")
    figures = json.loads(ran.stdout)
    show_chain(figures)
    return figures


def beside_chain(figures, target):
    ours, longest, trip = figures["ours"], figures["chain"], figures["trip"] * 1000
    return [
        Row(f"setup, {figures['provider']} over a wire of {trip:.0f} ms", [wall * 1000 for wall in ours], "ms", 0),
        Row("  longest chain of its calls", [longest * 1000], "ms", 0),
        Row("  calls that waited for each other", figures["inARow"], "", 0),
        Row("  of these in the longest chain", [figures["chainCalls"]], "", 0),
        Row("  times the chain", [wall / longest for wall in ours], "×", 2, at_most=target),
    ]


def show_chain(figures):
    trip = figures["trip"] * 1000
    print(f"The longest chain of calls of setup to {figures['provider']}, {trip:.0f} ms away. Each waits for the one before, for this reason.")
    print("In ms since the start: when it could be over, and when it was, in the run with the median time.\n")
    for step in figures["steps"]:
        seen = "?" if step["seen"] is None else f"{step['seen']:.0f}"
        print(f"{step['due'] * trip:7.0f} {seen:>6}  {step['name']} ({step['why']})")
    others = figures["superfluous"] or ["none"]
    print(f"\nCalls to {figures['provider']}: {figures['calls']}. Needless ones: {'; '.join(others)}.\n")
