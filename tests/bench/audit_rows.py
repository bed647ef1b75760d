"""The figures of `keyless audit` on clusters with very many objects: what the API server in audit/ makes up."""

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

from rows import Row

STORES, DEPLOYMENTS = 500, 5_000
# ExternalSecrets. The target is for the second; the others show how it grows.
SIZES = [5_000, 20_000, 80_000]

# What is to be reached.
CPU_SECONDS = 1.5
PEAK_MIB = 64
# CPU of an object of the largest cluster against one of the smallest.
GROWTH = 1.2

# Secrets, of about 4 KB each: 418 MB of JSON for the second. Nothing else is there but the operator and one store.
SECRETS = [10_000, 100_000]
SECRETS_CPU_SECONDS = 2
# Peak memory with ten times as many.
FLAT = 1.2
# Secrets that are releases of Helm: a gigabyte once they are unpacked. It takes long, and is measured once.
RELEASES = 1_000
RELEASES_CPU_SECONDS = 6


def rows(keyless, meter, runs):
    measured = {size: one_cluster(keyless, meter, runs, size) for size in SIZES}
    cpu = {size: [run["cpu"] for run in of_size] for size, of_size in measured.items()}
    peak = {size: [run["peak"] / 1024 for run in of_size] for size, of_size in measured.items()}
    found = []
    for size in SIZES:
        wanted = size == SIZES[1]
        found += [
            Row(
                f"audit of {size:,} ExternalSecrets: CPU",
                cpu[size],
                "s",
                2,
                at_most=CPU_SECONDS if wanted else None,
            ),
            Row("  peak memory", peak[size], "MiB", 1, at_most=PEAK_MIB if wanted else None),
        ]
    small, large = SIZES[0], SIZES[-1]
    # What the stores and Deployments cost is the same in each: the difference is what the ExternalSecrets cost.
    first = statistics.median(cpu[SIZES[1]]) - statistics.median(cpu[small])
    second = statistics.median(cpu[large]) - statistics.median(cpu[SIZES[1]])
    of_one = [first / (SIZES[1] - small), second / (large - SIZES[1])]
    found.append(Row("  of an ExternalSecret, from 20,000 on against below", [of_one[1] / of_one[0]], "×", 2, at_most=GROWTH))
    return found + of_secrets(keyless, meter, runs)


def of_secrets(keyless, meter, runs):
    """What very many Secrets cost, and what kubectl takes for the smaller number alone: all of them, once."""
    few, many = SECRETS
    measured = {count: one_cluster(keyless, meter, runs, 0, count) for count in SECRETS}
    cpu = {count: [run["cpu"] for run in of_count] for count, of_count in measured.items()}
    peak = {count: [run["peak"] / 1024 for run in of_count] for count, of_count in measured.items()}
    median = {count: statistics.median(values) for count, values in peak.items()}
    found = [
        Row(f"audit of {many:,} Secrets: CPU", cpu[many], "s", 2, at_most=SECRETS_CPU_SECONDS),
        Row("  peak memory", peak[many], "MiB", 1, at_most=PEAK_MIB),
        Row(f"  peak memory against {few:,}", [median[many] / median[few]], "×", 2, at_most=FLAT),
        Row(f"audit of {few:,} Secrets: CPU", cpu[few], "s", 2),
        Row("  peak memory", peak[few], "MiB", 1),
    ]
    (of_releases,) = one_cluster(keyless, meter, 1, 0, RELEASES, RELEASES)
    found += [
        Row(f"audit of {RELEASES:,} releases of Helm: CPU", [of_releases["cpu"]], "s", 2, at_most=RELEASES_CPU_SECONDS),
        Row(f"  how many times that of {many:,} Secrets", [of_releases["cpu"] / statistics.median(cpu[many])], "×", 1),
        Row("  peak memory", [of_releases["peak"] / 1024], "MiB", 1, at_most=PEAK_MIB),
    ]
    if kubectl := shutil.which("kubectl"):
        with cluster(0, few) as environment:
            output = os.path.join(environment["HOME"], "output")
            command = [kubectl, "get", "secrets", "--all-namespaces", "--output", "json"]
            runs = [meter.run({"command": command, "environment": environment, "output": output}) for _ in range(3)]
            if any(run["code"] for run in runs) or os.path.getsize(output) < 4_000 * few:
                sys.exit("bench: kubectl did not get the Secrets")
        theirs = [run["cpu"] for run in runs], [run["peak"] / 1024 for run in runs]
        times = [statistics.median(other) / statistics.median(own) for other, own in zip(theirs, (cpu[few], peak[few]))]
    else:
        theirs, times = (None, None), (None, None)
    return found + [
        Row(f"kubectl get {few:,} Secrets: CPU", theirs[0], "s", 2),
        Row("  how many times that of the audit", times[0] and [times[0]], "×", 1),
        Row("kubectl: peak memory", theirs[1], "MiB", 1),
        Row("  how many times that of the audit", times[1] and [times[1]], "×", 1),
    ]


def one_cluster(keyless, meter, runs, size, secrets=0, releases=0):
    stores, deployments = (1, 1) if secrets else (STORES, DEPLOYMENTS)
    name = f"{secrets:,} Secrets" if secrets else f"{size:,} ExternalSecrets"
    name += f", {releases:,} of them releases of Helm" if releases else ""
    with cluster(size, secrets, stores, deployments, releases) as environment:
        order = {"command": [keyless, "audit"], "environment": environment}
        order["output"] = os.path.join(environment["HOME"], "output")
        found = []
        # The first turn warms up.
        for turn in range(runs + 1):
            print(f"bench: audit of {name}, {turn} of {runs}", file=sys.stderr)
            figures = meter.run(order)
            with open(order["output"]) as output:
                text = output.read()
            looked_through = f" Secret {secrets}" in text or not secrets
            if figures["code"] or "\nZERO" not in f"\n{text}" or not looked_through:
                sys.exit(f"bench: exit code {figures['code']}:\n{text}")
            if turn:
                found.append(figures)
        return found


@contextlib.contextmanager
def cluster(size, secrets, stores=1, deployments=1, releases=0):
    """An API server with so many objects; the environment of those who ask it."""
    with tempfile.TemporaryDirectory() as folder:
        numbers = [str(number) for number in (size, stores, deployments, 0, secrets, releases)]
        command = [os.environ["BENCH_AUDIT"], folder, *numbers]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield {"KUBECONFIG": server.stdout.readline().strip(), "HOME": folder}
        finally:
            server.stdin.close()
            server.wait()
