"""Runs commands for measure.py, one by one, and says what each took.

A process of its own, and a small one: the kernel counts into a command's peak memory that of the process which started
it. And it can stand elsewhere: with addresses as arguments it is at the client's end of the wire (see wire.py), in a
network of its own, where relays listen at the servers' addresses.

    stdin   {"command": [...], "environment": {...}, "output": FILE}
    stdout  {"code": 0, "start": …, "end": …, "cpu": …, "peak": …}    seconds, KiB
"""

import json
import os
import socket
import sys
import time


def listen(addresses):
    """Opens a socket at each of these addresses, of this process's own network."""
    os.spawnlp(os.P_WAIT, "ip", "ip", "link", "set", "lo", "up")
    listeners = []
    for address in addresses:
        host, port = address.rsplit(":", 1)
        os.spawnlp(os.P_WAIT, "ip", "ip", "address", "add", f"{host}/32", "dev", "lo")
        listeners.append(socket.create_server((host, int(port))))
    return listeners


def run(order):
    out = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    files = [(os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, out, 2)]
    start = time.monotonic()
    command = order["command"]
    process = os.posix_spawn(command[0], command, order["environment"], file_actions=files)
    # Of the process and of every child that it waited for.
    _, status, used = os.wait4(process, 0)
    end = time.monotonic()
    os.close(out)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "start": start,
        "end": end,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss,
    }


def main():
    if sys.argv[1:]:
        with socket.socket(fileno=int(sys.argv[1])) as parent:
            listeners = listen(sys.argv[2:])
            socket.send_fds(parent, [b"listening"], [listener.fileno() for listener in listeners])
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


main()
