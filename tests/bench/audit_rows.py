"""The figures of `keyless audit` on clusters with very many objects: what the API server in audit/ makes up."""

import os
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
    return found


def one_cluster(keyless, meter, runs, size):
    with tempfile.TemporaryDirectory() as folder:
        command = [os.environ["BENCH_AUDIT"], folder, str(size), str(STORES), str(DEPLOYMENTS), "0"]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            environment = {"KUBECONFIG": server.stdout.readline().strip(), "HOME": folder}
            order = {"command": [keyless, "audit"], "environment": environment, "output": f"{folder}/output"}
            found = []
            # The first turn warms up.
            for turn in range(runs + 1):
                print(f"bench: audit of {size:,} ExternalSecrets, {turn} of {runs}", file=sys.stderr)
                figures = meter.run(order)
                with open(order["output"]) as output:
                    text = output.read()
                if figures["code"] or "\nZERO" not in f"\n{text}":
                    sys.exit(f"bench: exit code {figures['code']}:\n{text}")
                if turn:
                    found.append(figures)
            return found
        finally:
            server.stdin.close()
            server.wait()
