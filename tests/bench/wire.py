"""A long wire: relays that stand at the servers' addresses, delay what passes, and keep a record of it.

The client lives in a network namespace of its own, in which the servers' addresses are the relays'. What a relay sees
of a connection are chunks of TLS; who spoke, when, and whether TLS was still being set up is enough to tell what
waited for what.
"""

import json
import queue
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

APPLICATION_DATA = 23  # TLS record type (RFC 8446, section 5.1)


@dataclass
class Flight:
    """What one end sent in one go; times are those at the client's end."""

    time: float
    by_client: bool
    size: int
    # The client's part of the handshake is over with this flight, or was before.
    set_up: bool


@dataclass
class Connection:
    address: str
    opened: float
    flights: list = field(default_factory=list)


class Wire:
    """The wire, and a meter at the client's end."""

    def __init__(self, addresses, one_way, meter):
        self.one_way = one_way
        # Whether setting up a connection takes its time, too.
        self.delays_set_up = True
        self.record = []
        ours, theirs = socket.socketpair()
        command = ["unshare", "--net", sys.executable, "-IS", meter, str(theirs.fileno()), *addresses]
        self.client = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        theirs.close()
        message, descriptors, _, _ = socket.recv_fds(ours, 16, len(addresses))
        if message != b"listening":
            raise RuntimeError("the client's end of the wire cannot be set up")
        for address, descriptor in zip(addresses, descriptors):
            spawn(self._accept, address, socket.socket(fileno=descriptor))

    def run(self, order):
        """What the meter says of one command, and the connections that it opened."""
        self.record = []
        self.client.stdin.write(json.dumps(order) + "\n")
        self.client.stdin.flush()
        figures = json.loads(self.client.stdout.readline())
        return figures, self.record

    def _accept(self, address, listener):
        host, port = address.rsplit(":", 1)
        while True:
            client, _ = listener.accept()
            connection = Connection(address, time.monotonic())
            self.record.append(connection)
            server = socket.create_connection((host, int(port)))
            for end in client, server:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Relay(self, connection, client, server)


class Relay:
    """One connection: each direction is read at once, and delivered later in the same order."""

    def __init__(self, wire, connection, client, server):
        self.one_way, self.delays_set_up = wire.one_way, wire.delays_set_up
        self.connection = connection
        self.answered = self.set_up = False
        self.types = RecordTypes()
        for source, target, delay in (client, server, self._from_client), (server, client, self._from_server):
            chunks = queue.SimpleQueue()
            spawn(self._read, source, chunks, delay)
            spawn(self._deliver, target, chunks)

    def _from_client(self, chunk, now):
        # The first such record ends the client's part of the handshake: Finished in TLS 1.3, a request in TLS 1.2.
        self.set_up = APPLICATION_DATA in self.types.of(chunk) or self.set_up
        self.connection.flights.append(Flight(now, True, len(chunk), self.set_up))
        if not self.delays_set_up:
            return self.one_way if self.set_up else 0
        # `connect` returned at once; on a long wire the first bytes leave one round trip later.
        return self.one_way if self.answered else 3 * self.one_way

    def _from_server(self, chunk, now):
        delay = self.one_way if self.delays_set_up or self.set_up else 0
        self.answered = True
        self.connection.flights.append(Flight(now + delay, False, len(chunk), self.set_up))
        return delay

    def _read(self, source, chunks, delay):
        chunk = b"-"
        while chunk:
            try:
                chunk = source.recv(1 << 16)
            except OSError:
                chunk = b""
            now = time.monotonic()
            # The end of a stream travels as well.
            chunks.put((now + (delay(chunk, now) if chunk else self.one_way), chunk))

    def _deliver(self, target, chunks):
        chunk = b"-"
        while chunk:
            due, chunk = chunks.get()
            time.sleep(max(0, due - time.monotonic()))
            try:
                if chunk:
                    target.sendall(chunk)
                else:
                    target.shutdown(socket.SHUT_WR)
            except OSError:
                # The other end is gone; so is whatever was still under way.
                return


class RecordTypes:
    """The types of the TLS records in a stream that comes in chunks."""

    def __init__(self):
        self.header = b""
        self.rest = 0

    def of(self, chunk):
        types = set()
        while chunk:
            if self.rest:
                taken = min(self.rest, len(chunk))
                self.rest -= taken
            else:
                taken = min(5 - len(self.header), len(chunk))
                self.header += chunk[:taken]
                types.add(self.header[0])
                if len(self.header) == 5:
                    self.rest = int.from_bytes(self.header[3:], "big")
                    self.header = b""
            chunk = chunk[taken:]
        return types


def spawn(target, *arguments):
    threading.Thread(target=target, args=arguments, daemon=True).start()
