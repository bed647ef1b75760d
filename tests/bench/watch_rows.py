"""The figures of `keyless publish --watch` with nothing to do: what the servers in watch/ show never changes."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rows import Row

SERVERS = 3
POLL = "10s"
# The first look, which publishes, is not idleness.
WARM_UP = 20
SECONDS = 300

# What is to be reached.
CPU_PERCENT = 0.1
PEAK_MIB = 20


def rows(keyless):
    with tempfile.TemporaryDirectory() as folder:
        command = [os.environ["BENCH_WATCH"], folder, str(SERVERS)]
        far_side = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            ground = json.loads(far_side.stdout.readline())
            return idle(keyless, ground, Path(folder))
        finally:
            far_side.stdin.close()
            far_side.wait()


def idle(keyless, ground, folder):
    command = [keyless, "publish", "--watch", "--poll", POLL, *ground["arguments"]]
    with open(folder / "output", "w+") as output:
        process = subprocess.Popen(command, env=ground["environment"], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        print(f"bench: watching for {SECONDS} s", file=sys.stderr)
        time.sleep(WARM_UP)
        before = cpu_seconds(process.pid)
        began = time.monotonic()
        time.sleep(SECONDS)
        used = cpu_seconds(process.pid) - before
        passed = time.monotonic() - began
        peak = peak_mib(process.pid)
        process.send_signal(signal.SIGTERM)
        code = process.wait()
        output.seek(0)
        text = output.read()
    # It looked for as long as it was measured, and ended when it was told to.
    if code or not (folder / "www/prod/openid/v1/jwks").exists():
        sys.exit(f"bench: publish --watch: exit code {code}:\n{text}")
    return [
        Row(f"publish --watch, {SERVERS} API servers every {POLL}: CPU", [100 * used / passed], "%", 3, at_most=CPU_PERCENT),
        Row("  peak memory", [peak], "MiB", 1, at_most=PEAK_MIB),
    ]


def cpu_seconds(pid):
    """User and system time, as the kernel counts them: proc(5), fields 14 and 15 of stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    from rows import show

    show(rows(os.environ["KEYLESS_REAL_BINARY"]))
