"""What waited for what, from the record of the wire."""

from collections import Counter
from dataclasses import dataclass


@dataclass
class Step:
    """Round trips that nothing else could shorten."""

    time: float
    does: str
    addresses: list
    set_up: int = 0
    requests: int = 0


def longest(record, start, end, one_way):
    """The chain of steps that ended last, from its beginning: each began when the one before had ended.

    Which of two answers that came together was waited for, no record tells: a step names all that was done then."""

    def together(time, moments):
        return sorted({address for address, moment in moments if abs(moment - time) < one_way / 2})

    answers = [(flight.time, connection, flight) for connection in record for flight in flights(connection, False)]
    openings = [(connection.address, connection.opened) for connection in record]
    questions = [
        (connection.address, flight.time)
        for connection in record
        for flight in flights(connection, True)
        if flight.set_up
    ]
    steps = []
    # What comes later was not waited for.
    until = end
    while True:
        earlier = [answer for answer in answers if answer[0] <= until]
        if not earlier:
            return steps[::-1]
        time, connection, _ = max(earlier, key=lambda answer: answer[0])
        # What it answers was sent a whole round trip before, at the latest.
        asked = [flight.time for flight in flights(connection, True) if flight.set_up]
        asked = [asking for asking in asked if asking <= time - 2 * one_way]
        until = connection.opened
        if asked:
            steps.append(Step(asked[-1], "asks", together(asked[-1], questions), requests=1))
            if asked[-1] - asked[0] > one_way:
                until = asked[-1]
                continue
        # The first question was sent together with the end of the handshake.
        trips = round(((asked[0] if asked else time) - connection.opened) / (2 * one_way))
        steps.append(Step(connection.opened, "connects to", together(connection.opened, openings), set_up=trips))


def flights(connection, by_client):
    return [flight for flight in connection.flights if flight.by_client == by_client]


def connections(record):
    """How many connections were opened to each address."""
    return Counter(connection.address for connection in record)
