#!/usr/bin/env python3
"""report.py OUT TITLE PART... : parts are .md, .txt and .csv files."""
import csv, datetime, os, re, sys

ROWS = 100


def fail(why):
    print(f"markdown-report: {why}", file=sys.stderr)
    sys.exit(1)


def table(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        rows = [row for row in csv.reader(file, delimiter=max(",;\t", key=first.count)) if row]
    if not rows:
        fail(f"{path} is empty")
    cell = lambda text: text.strip().replace("|", "\\|").replace("\n", " ")
    width = len(rows[0])
    lines = ["| " + " | ".join(map(cell, rows[0])) + " |", "|" + " --- |" * width]
    lines += ["| " + " | ".join(map(cell, (row + [""] * width)[:width])) + " |" for row in rows[1 : ROWS + 1]]
    if len(rows) > ROWS + 1:
        lines.append(f"\n*The first {ROWS} of {len(rows) - 1} rows of {os.path.basename(path)}.*")
    return "\n".join(lines)


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


if len(sys.argv) < 4:
    fail(__doc__)
out, title, *parts = sys.argv[1:]
if os.path.exists(out):
    fail(f"{out} is there already")
bodies = []
for part in parts:
    if not os.path.isfile(part):
        fail(f"there is no file {part}")
    if part.endswith((".csv", ".tsv")):
        bodies.append(table(part))
    else:
        with open(part, encoding="utf-8-sig") as file:
            bodies.append(file.read().strip())
headings, fenced = [], False
for line in "\n".join(bodies).split("\n"):
    if line.startswith("```"):
        fenced = not fenced
    found = None if fenced else re.match(r"(##|###) (.+)", line)
    if found:
        headings.append((found[1], found[2].strip()))
contents = [f"{'' if level == '##' else '  '}- [{text}](#{anchor(text)})" for level, text in headings]
text = "\n\n".join([f"# {title}", f"*{datetime.date.today():%Y-%m-%d}*", *(["\n".join(contents)] if len(headings) > 2 else []), *bodies]) + "\n"
with open(out, "x", encoding="utf-8") as file:
    file.write(text)
print(f"{out}: {len(headings)} sections, {len(text.split())} words")
