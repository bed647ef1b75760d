"""What waited for what, from the record of the wire."""

from collections import Counter
from dataclasses import dataclass


@dataclass
class Step:
    """A round trip, or several, that nothing else could shorten."""

    time: float
    says: str
    set_up: int = 0
    requests: int = 0


def longest(record, start, one_way):
    """The chain of steps that ended last, from its beginning: each began when the one before had ended."""
    answers = [(flight.time, connection, flight) for connection in record for flight in flights(connection, False)]
    steps = []
    until = float("inf")
    while True:
        earlier = [answer for answer in answers if answer[0] <= until]
        if not earlier:
            break
        time, connection, answer = max(earlier, key=lambda entry: entry[0])
        # What it answers was sent a whole round trip before, at the latest.
        asked = [flight for flight in flights(connection, True) if flight.set_up and flight.time <= time - 2 * one_way]
        if not answer.set_up or not asked:
            # A chain that ends in a handshake: nothing was ever asked there.
            until = connection.opened
            steps.append(Step(connection.opened, f"connects to {connection.address}, asks nothing", set_up=2))
            continue
        first = asked[0].time
        last = asked[-1]
        steps.append(Step(last.time, f"asks {connection.address}", requests=1))
        until = last.time
        if last.time - first < one_way:
            # It was sent together with the end of the handshake, which began when the connection was opened.
            trips = round((first - connection.opened) / (2 * one_way))
            steps.append(Step(connection.opened, f"connects to {connection.address}", set_up=trips))
            until = connection.opened
    steps.append(Step(start, "starts"))
    return steps[::-1]


def flights(connection, by_client):
    return [flight for flight in connection.flights if flight.by_client == by_client]


def connections(record):
    """How many connections were opened to each address."""
    return Counter(connection.address for connection in record)
