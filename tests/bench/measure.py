"""The figures, measured inside the world of tests/real. Started by `run`."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import audit_rows
import chain
import setup_rows
import watch_rows
import wire
from rows import Row, show

RUNS = 9
ONE_WAY = 0.025
SERVERS = {
    "10.99.0.1:6443": "API server 1",
    "10.99.0.2:6443": "API server 2",
    "10.99.0.4:443": "S3",
}
BUCKET = ["--bucket", "s3://lab-issuer/cluster-a", "--endpoint", "https://s3.lab.test"]
MIB = 1 << 20
METER = str(Path(__file__).with_name("meter.py"))

# What is to be reached.
CPU_SECONDS = 0.03
PEAK_MIB = 20
TIMES_LESS_CPU = 50
ROUND_TRIPS = 2
OWN_SECONDS = 0.020
BINARY_MIB = 20


def main():
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.publish_first()
        rows = bench.against_recipe() + bench.over_wire() + setup_rows.rows(bench.keyless, RUNS)
        rows += audit_rows.rows(bench.keyless, Meter(), RUNS) + watch_rows.rows(bench.keyless) + bench.binary()
    show(rows)


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.output = str(folder / "output")
        kept = ["PATH", "KUBECONFIG", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"]
        self.environment = {name: os.environ[name] for name in kept} | {"HOME": str(folder)}
        self.keyless = os.environ["KEYLESS_REAL_BINARY"]
        self.publish = [self.keyless, "publish", *BUCKET, "--ca-file", os.environ["CA"]]

    def publish_first(self):
        created = subprocess.run([*self.publish, "--create"], env=self.environment, capture_output=True, text=True)
        if created.returncode:
            sys.exit(f"bench: the documents cannot be published:\n{created.stderr}")

    def order(self, command, **more):
        return {"command": command, "environment": self.environment | more, "output": self.output}

    def checked(self, figures, begins=""):
        """Only what did its work counts."""
        text = Path(self.output).read_text()
        if figures["code"] or not text.startswith(begins):
            sys.exit(f"bench: exit code {figures['code']}:\n{text}")
        return figures

    def recipe(self):
        """The two documents from the API server, and into the bucket."""
        kubectl = shutil.which("kubectl")
        aws = os.path.join(os.environ["AWS_CLI"], "bin", "aws")
        documents = [
            ("/.well-known/openid-configuration", "application/json"),
            ("/openid/v1/jwks", "application/jwk-set+json"),
        ]
        for path, content_type in documents:
            file = self.folder / path.rsplit("/", 1)[1]
            yield self.order([kubectl, "get", "--raw", path]) | {"output": str(file)}
        for path, content_type in documents:
            file = self.folder / path.rsplit("/", 1)[1]
            copy = [aws, "--endpoint-url", "https://s3.lab.test", "s3", "cp", str(file), f"s3://lab-issuer/recipe{path}"]
            headers = ["--content-type", content_type, "--cache-control", "public, max-age=300"]
            ca = {"AWS_CA_BUNDLE": os.environ["CA"], "PYTHONPATH": os.environ["AWS_CLI"]}
            yield self.order([*copy, *headers], **ca)

    def against_recipe(self):
        meter = Meter()
        ours, theirs = [], []
        for turn in range(RUNS + 1):
            progress(f"publish and the recipe, {turn} of {RUNS}")
            one = self.checked(meter.run(self.order(self.publish)), "unchanged:")
            all_of_it = []
            for order in self.recipe():
                figures = meter.run(order)
                if figures["code"]:
                    sys.exit(f"bench: {order['command']}: exit code {figures['code']}:\n{Path(order['output']).read_text()}")
                all_of_it.append(figures)
            # The first turn warms up files and servers.
            if turn:
                ours.append(one)
                theirs.append(all_of_it)
        cpu = [one["cpu"] for one in ours]
        recipe_cpu = [sum(step["cpu"] for step in steps) for steps in theirs]
        peak = [one["peak"] * 1024 / MIB for one in ours]
        recipe_peak = [max(step["peak"] for step in steps) * 1024 / MIB for steps in theirs]
        time = [one["end"] - one["start"] for one in ours]
        recipe_time = [sum(step["end"] - step["start"] for step in steps) for steps in theirs]
        less = [recipe / own for own, recipe in zip(cpu, recipe_cpu)]
        return [
            Row("unchanged publish: CPU", cpu, "s", 3, at_most=CPU_SECONDS),
            Row("the recipe: CPU", recipe_cpu, "s", 2),
            Row("  how many times less", less, "×", 0, at_least=TIMES_LESS_CPU),
            Row("unchanged publish: peak memory", peak, "MiB", 1, at_most=PEAK_MIB),
            Row("the recipe: peak memory", recipe_peak, "MiB", 1),
            Row("  how many times less", [theirs / own for own, theirs in zip(peak, recipe_peak)], "×", 1),
            Row("unchanged publish: time", time, "s", 3),
            Row("the recipe: time", recipe_time, "s", 2),
            Row("  how many times less", [theirs / own for own, theirs in zip(time, recipe_time)], "×", 0),
        ]

    def over_wire(self):
        long = wire.Wire(SERVERS, ONE_WAY, METER)
        all_of_it, requests = [], []
        for turn in range(RUNS + 1):
            progress(f"publish over the wire, {turn} of {RUNS}")
            for delays_set_up, runs in (True, all_of_it), (False, requests):
                long.delays_set_up = delays_set_up
                figures, record = long.run(self.order(self.publish))
                self.checked(figures, "unchanged:")
                if turn:
                    runs.append((figures["start"], figures["end"], record))
        whole = [milliseconds(run) for run in all_of_it]
        asking = [milliseconds(run) for run in requests]
        start, end, record = sorted(all_of_it, key=milliseconds)[RUNS // 2]
        steps = chain.longest(record, start, end, ONE_WAY)
        self.show_chain(steps, start, end, record)
        trip = 2 * ONE_WAY * 1000
        return [
            Row(f"publish over a wire of {trip:.0f} ms: all", whole, "ms", 0),
            Row("  of it connection set-up", [a - b for a, b in zip(whole, asking)], "ms", 0),
            Row("  without it", asking, "ms", 0, at_most=ROUND_TRIPS * trip + OWN_SECONDS * 1000),
            Row("  round trips of requests, in a row", [sum(step.requests for step in steps)], "", 0, at_most=ROUND_TRIPS),
            Row("  round trips of set-up, in a row", [sum(step.set_up for step in steps)], "", 0),
        ]

    def show_chain(self, steps, start, end, record):
        print("Over the wire, each of these waited for the one before (ms since the start):\n")
        for step in steps:
            trips = step.set_up + step.requests
            what = f"{step.does} {', '.join(name(address) for address in step.addresses)}"
            print(f"{(step.time - start) * 1000:7.0f}  {what} ({trips} round trip{'s' * (trips != 1)})")
        print(f"{(end - start) * 1000:7.0f}  ends")
        opened = [f"{count} to {name(address)}" for address, count in chain.connections(record).items()]
        print(f"\nConnections opened: {', '.join(opened)}.\n")

    def binary(self):
        build = [float(seconds) for seconds in os.environ.get("BENCH_BUILD", "").split()]
        return [
            Row("release build: time", build[:1] or None, "s", 0),
            Row("release build: CPU", [sum(build[1:])] if build else None, "s", 0),
            Row("release binary", [os.path.getsize(self.keyless) / MIB], "MiB", 1, at_most=BINARY_MIB),
        ]


def name(address):
    return SERVERS[address]


def milliseconds(run):
    start, end, _ = run
    return (end - start) * 1000


class Meter:
    def __init__(self):
        command = [sys.executable, "-IS", METER]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def progress(line):
    print(f"bench: {line} (load {os.getloadavg()[0]:.1f})", file=sys.stderr)


main()
