"""The generated part of README.md: a table with one column per client, then the quirks."""

from pathlib import Path

from harness.verdict import CELLS, QUIRKS, quirk_of

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN = "<!-- matrix: written by UPDATE=1 tests/interop/run -->\n"
END = "<!-- end of matrix -->\n"


def parse(text):
    """Column header to its cells, so that one client's run leaves the other columns alone."""
    rows = [
        [entry.strip() for entry in line.strip("|\n").split("|")]
        for line in text.splitlines() if line.startswith("|")
    ]
    if len(rows) < 2:
        return {}
    names = [row[0] for row in rows[2:]]
    return {
        header: dict(zip(names, [row[at] for row in rows[2:]]))
        for at, header in enumerate(rows[0]) if at > 0
    }


def header(answers, client):
    name = next((f"{it['client']} {it['version']}" for it in answers if "version" in it), "none")
    return f"{name} (`{client.name}/`)"


def folder(header):
    return header.rsplit("(", 1)[1]


def word(client, cell, answer):
    if answer["result"] == "cannot":
        return f"cannot ({quirk_of(client, cell)['id']})"
    note = f", {answer['detail']}" if answer["result"] == "pass" and answer["detail"] else ""
    return answer["result"] + note


def column(client, answers):
    """One entry per cell; transports that agree share it."""
    entries = {}
    for cell in CELLS:
        by_transport = {
            transport: word(client, cell, answers[transport][cell]) for transport in answers
        }
        words = set(by_transport.values())
        entries[cell] = words.pop() if len(words) == 1 else "; ".join(
            f"{transport}: {said}" for transport, said in by_transport.items()
        )
    return entries


def render(columns):
    headers = sorted(columns)
    lines = ["| cell | " + " | ".join(headers) + " |", "|---" * (len(headers) + 1) + "|"]
    for cell in CELLS:
        entries = [columns[header].get(cell, "not run") for header in headers]
        lines.append(f"| {cell} | " + " | ".join(entries) + " |")
    lines.append("")
    for quirk in QUIRKS:
        lines.append(f"- **{quirk['id']}** ({quirk['section']}): {quirk['text']}")
    return "\n".join(lines) + "\n"


def update(columns_run, write):
    """Puts the columns into README.md; returns whether it already said so."""
    text = README.read_text()
    head, rest = text.split(BEGIN)
    committed, tail = rest.split(END)
    folders_run = {folder(it) for it in columns_run}
    kept = {it: said for it, said in parse(committed).items() if folder(it) not in folders_run}
    current = head + BEGIN + render({**kept, **columns_run}) + END + tail
    if write and current != text:
        README.write_text(current)
    return current == text
