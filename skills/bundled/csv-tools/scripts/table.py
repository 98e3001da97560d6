#!/usr/bin/env python3
"""table.py FILE columns | head N | where CONDITION... | sort [-]COLUMN | sum COLUMN [by COLUMN]  [as csv|json|markdown]"""
import csv, json, re, sys
from decimal import Decimal, InvalidOperation

csv.field_size_limit(10_000_000)
SHOWN = 200


def fail(why):
    print(f"csv-tools: {why}", file=sys.stderr)
    sys.exit(1)


def read(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        sample = file.read(65536)
        file.seek(0)
        counts = {one: sample.split("\n")[0].count(one) for one in ",;\t|"}
        rows = csv.reader(file, delimiter=max(counts, key=counts.get))
        head = next(rows, None)
        if head is None:
            fail(f"{path} is empty")
        return head, [dict(zip(head, row + [""] * (len(head) - len(row)))) for row in rows if row]


def number(text):
    try:
        value = Decimal(text.strip().replace(" ", ""))
        return value if value.is_finite() else None
    except InvalidOperation:
        return None


def column(head, name):
    if name not in head:
        fail(f"there is no column {name}; there are: {', '.join(head)}")
    return name


def condition(head, text):
    found = re.match(r"(.+?)(!=|<=|>=|=|~|<|>)(.*)$", text, re.S)
    if not found:
        fail(f"{text} is no condition, as amount>100")
    name, sign, wanted = column(head, found[1].strip()), found[2], found[3].strip()

    def holds(row):
        value = row[name]
        if sign == "~":
            return wanted.lower() in value.lower()
        left, right = number(value), number(wanted)
        if left is None or right is None:
            if sign not in ("=", "!="):
                return False
            left, right = value.strip(), wanted
        return {"=": left == right, "!=": left != right, "<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign] if sign in ("=", "!=") or not isinstance(left, str) else False

    return holds


def show(head, rows, form):
    some = rows[:SHOWN]
    if form == "json":
        print(json.dumps(some, ensure_ascii=False, indent=1))
    elif form == "markdown":
        cell = lambda text: text.replace("|", "\\|").replace("\n", " ")
        print("| " + " | ".join(map(cell, head)) + " |\n|" + " --- |" * len(head))
        for row in some:
            print("| " + " | ".join(cell(row[name]) for name in head) + " |")
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(head)
        writer.writerows([row[name] for name in head] for row in some)
    print(f"({len(rows)} rows{f', of which {SHOWN} are shown' if len(rows) > SHOWN else ''})", file=sys.stderr if form == "json" else sys.stdout)


words = sys.argv[1:]
form = "csv"
if len(words) > 2 and words[-2] == "as":
    form, words = words[-1], words[:-2]
if len(words) < 2:
    fail(__doc__)
head, rows = read(words[0])
match words[1:]:
    case ["columns"]:
        for name in head:
            values = [row[name] for row in rows if row[name].strip()]
            numbers = [one for one in map(number, values) if one is not None]
            kind = "numbers" if values and len(numbers) == len(values) else "text"
            print(f"{name}: {len(values)} values, {len(set(values))} different, {kind}" + (f", {min(numbers)} to {max(numbers)}" if kind == "numbers" else ""))
        print(f"({len(rows)} rows)")
    case ["head", count] if count.isdigit():
        show(head, rows[: int(count)], form)
    case ["where", *conditions] if conditions:
        tests = [condition(head, one) for one in conditions]
        show(head, [row for row in rows if all(test(row) for test in tests)], form)
    case ["sort", name]:
        down, name = name.startswith("-") and name not in head, name.removeprefix("-") if name not in head else name
        key = lambda row: (number(row[name]) is None, number(row[name]) or 0, row[name]) 
        column(head, name)
        show(head, sorted(rows, key=key, reverse=down), form)
    case ["sum", name, *by] if by == [] or (len(by) == 2 and by[0] == "by"):
        column(head, name)
        groups = {}
        for row in rows:
            value = number(row[name])
            if value is not None:
                groups.setdefault(row[column(head, by[1])] if by else "all", []).append(value)
        for group, values in sorted(groups.items()):
            print(f"{group}: {len(values)} values, sum {sum(values)}, mean {sum(values) / len(values):.6g}, {min(values)} to {max(values)}")
        left = len(rows) - sum(map(len, groups.values()))
        if left:
            print(f"({left} rows have no number there)")
    case _:
        fail(__doc__)
