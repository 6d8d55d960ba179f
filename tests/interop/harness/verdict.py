"""From what a client says to what the matrix says: the server's count, then the known quirks."""

import json
import re
from pathlib import Path

CELLS = [
    "request-response", "stream", "channel", "responder-ends-first", "responder-cancels",
    "fire-and-forget", "metadata-push", "credit", "cancel", "error", "large-out", "large-in",
    "composite", "routing", "keepalive",
]
QUIRKS = json.loads((Path(__file__).resolve().parent.parent / "quirks.json").read_text())

# What the server must have counted, by direction seen from the server, for a pass to be believed:
# libraries hide an item too many, and a client cannot know whether its fragments were fragments.
AT_LEAST = {
    "channel": {("in", "PAYLOAD"): 4, ("out", "REQUEST_N"): 1},
    "responder-ends-first": {("in", "PAYLOAD"): 4},
    "fire-and-forget": {("in", "REQUEST_FNF"): 20},
    "responder-cancels": {("out", "CANCEL"): 1},
    "metadata-push": {("in", "METADATA_PUSH"): 1},
    "credit": {("in", "REQUEST_N"): 1, ("in", "CANCEL"): 1},
    "cancel": {("in", "CANCEL"): 1},
    "large-in": {("out", "PAYLOAD"): 50},
    "keepalive": {("in", "KEEPALIVE"): 4, ("out", "KEEPALIVE"): 4},
}
EXACTLY = {
    "credit": {("out", "PAYLOAD"): 8},
    "metadata-push": {("in", "METADATA_PUSH"): 1},
    "error": {("out", "ERROR"): 1},
}
NO_ERROR = {("out", "ERROR"): 0}
IN_FRAGMENTS = 100


def confirmed(cell, answer, before, after):
    """The answer, turned into a failure when the server's counters tell another story."""
    if answer["result"] != "pass":
        return answer
    counted = {key: after.get(key, 0) - before.get(key, 0) for key in after}
    at_least = dict(AT_LEAST.get(cell, {}))
    exactly = {**NO_ERROR, **EXACTLY.get(cell, {})}
    if cell == "large-out" and answer["detail"] == "one frame":
        exactly["in", "PAYLOAD"] = 0
    elif cell == "large-out":
        at_least["in", "PAYLOAD"] = IN_FRAGMENTS
    wrong = [
        f"{direction} {frame} {counted.get((direction, frame), 0)}, not {word}{expected}"
        for expectations, word, holds in [
            (at_least, "at least ", lambda count, expected: count >= expected),
            (exactly, "", lambda count, expected: count == expected),
        ]
        for (direction, frame), expected in expectations.items()
        if not holds(counted.get((direction, frame), 0), expected)
    ]
    if not wrong:
        return answer
    return {**answer, "result": "fail", "detail": "the server counted " + "; ".join(wrong)}


def quirk_of(client, cell):
    return next((it for it in QUIRKS if (it["client"], it["cell"]) == (client, cell)), None)


def judged(client, cell, answer):
    """*cannot* is a failure of exactly the kind that a quirk names; anything else is not."""
    quirk = quirk_of(client, cell)
    if quirk is None:
        return answer
    if answer["result"] == "pass":
        detail = f"cannot began to work: take {quirk['id']} out of quirks.json"
        return {**answer, "result": "fail", "detail": detail}
    if re.search(quirk["fails_with"], answer["detail"]):
        return {**answer, "result": "cannot", "detail": f"{quirk['id']}: {answer['detail']}"}
    return answer
