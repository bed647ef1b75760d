"""The table of figures."""

import statistics


class Row:
    def __init__(self, name, values, unit, digits, at_most=None, at_least=None):
        self.name = name
        if values is None:
            self.figure, self.unit, self.range, self.target, self.met = "–", "", "not measured", "", ""
            return
        median = statistics.median(values)
        self.figure = f"{median:.{digits}f}"
        self.range = f"{min(values):.{digits}f}–{max(values):.{digits}f}" if len(values) > 1 else ""
        self.unit = unit
        self.target, self.met = "", ""
        if at_most is not None:
            self.target, self.met = f"≤ {at_most:g}", "met" if median <= at_most else "NOT MET"
        if at_least is not None:
            self.target, self.met = f"≥ {at_least:g}", "met" if median >= at_least else "NOT MET"


def show(rows):
    head = ["", "median", "unit", "min–max", "target", ""]
    lines = [head] + [[row.name, row.figure, row.unit, row.range, row.target, row.met] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        left = line[0].ljust(widths[0])
        print(left, line[1].rjust(widths[1]), *(cell.ljust(width) for cell, width in zip(line[2:], widths[2:])), sep="  ")
