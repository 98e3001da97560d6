#!/usr/bin/env python3
"""query.py FILE shape | get PATH | where PATH CONDITION... | csv PATH | diff OTHER"""
import csv, json, re, sys

MOST = 60_000


def fail(why):
    print(f"json-tools: {why}", file=sys.stderr)
    sys.exit(1)


def read(path):
    text = sys.stdin.read() if path == "-" else open(path, encoding="utf-8-sig").read()
    try:
        if path.endswith((".jsonl", ".ndjson")):
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return json.loads(text)
    except json.JSONDecodeError as wrong:
        fail(f"{path} is no JSON: {wrong.msg} in line {wrong.lineno}")
    except RecursionError:
        fail(f"{path} is nested too deeply")


def steps(path):
    found = re.findall(r"\[(\*|-?\d+)\]|\[\"((?:[^\"\\]|\\.)*)\"\]|([^.\[\]]+)", path)
    return [("*" if index == "*" else int(index)) if index else (quoted.replace('\\"', '"') or plain) for index, quoted, plain in found]


def walk(value, path):
    values = [value]
    for step in steps(path):
        following = []
        for one in values:
            if step == "*" and isinstance(one, (list, dict)):
                following += list(one.values()) if isinstance(one, dict) else one
            elif isinstance(step, int) and isinstance(one, list) and -len(one) <= step < len(one):
                following.append(one[step])
            elif isinstance(one, dict) and str(step) in one:
                following.append(one[str(step)])
        values = following
    return values


def kind(value):
    return {dict: "object", list: "list", str: "text", bool: "yes/no", type(None): "null"}.get(type(value), "number")


def shape(value, indent="", name=""):
    label = f"{indent}{name + ': ' if name else ''}"
    if isinstance(value, dict):
        print(f"{label}object of {len(value)}")
        for key in list(value)[:40]:
            shape(value[key], indent + "  ", key)
    elif isinstance(value, list):
        print(f"{label}list of {len(value)}, of {', '.join(sorted({kind(one) for one in value})) or 'nothing'}")
        if value:
            shape(max(value[:50], key=lambda one: len(one) if isinstance(one, dict) else 0), indent + "  ", "[*]")
    else:
        print(f"{label}{kind(value)}, such as {json.dumps(value, ensure_ascii=False)[:60]}")


def condition(text):
    found = re.match(r"(.+?)(!=|<=|>=|=|~|<|>)(.*)$", text, re.S)
    if not found:
        fail(f"{text} is no condition, as total>100")
    path, sign, wanted = found[1].strip(), found[2], found[3].strip()

    def holds(item):
        for value in walk(item, path):
            text = value if isinstance(value, str) else json.dumps(value)
            if sign == "~" and wanted.lower() in text.lower():
                return True
            try:
                left, right = float(text), float(wanted)
            except ValueError:
                left, right = text, wanted
                if sign not in ("=", "!="):
                    continue
            if {"=": left == right, "!=": left != right}.get(sign, False) or (not isinstance(left, str) and {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}.get(sign, False)):
                return True
        return False

    return holds


def lists(value, path):
    found = walk(value, path) if path not in ("", ".") else [value]
    if len(found) != 1 or not isinstance(found[0], list):
        fail(f"{path} is no list")
    return found[0]


def differences(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}):
            at = f"{path}.{key}".lstrip(".")
            if key not in a:
                yield f"+ {at}: {json.dumps(b[key], ensure_ascii=False)[:200]}"
            elif key not in b:
                yield f"- {at}: {json.dumps(a[key], ensure_ascii=False)[:200]}"
            else:
                yield from differences(a[key], b[key], at)
    elif isinstance(a, list) and isinstance(b, list):
        for at in range(max(len(a), len(b))):
            if at >= len(a):
                yield f"+ {path}[{at}]: {json.dumps(b[at], ensure_ascii=False)[:200]}"
            elif at >= len(b):
                yield f"- {path}[{at}]: {json.dumps(a[at], ensure_ascii=False)[:200]}"
            else:
                yield from differences(a[at], b[at], f"{path}[{at}]")
    elif a != b:
        yield f"~ {path or '.'}: {json.dumps(a, ensure_ascii=False)[:100]} -> {json.dumps(b, ensure_ascii=False)[:100]}"


def say(values):
    text = "\n".join(json.dumps(one, ensure_ascii=False, indent=1) for one in values)
    print(text if len(text) <= MOST else text[:MOST] + "\n(cut: ask for less)")
    print(f"({len(values)} found)", file=sys.stderr)


match sys.argv[1:]:
    case [path, "shape"]:
        shape(read(path))
    case [path, "get", where]:
        say(walk(read(path), where))
    case [path, "where", where, *conditions] if conditions:
        tests = [condition(one) for one in conditions]
        say([one for one in lists(read(path), where) if all(test(one) for test in tests)])
    case [path, "csv", where]:
        items = [one for one in lists(read(path), where) if isinstance(one, dict)]
        names = list(dict.fromkeys(key for one in items for key in one))
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        for one in items:
            writer.writerow([value if isinstance(value := one.get(name, ""), (str, int, float)) else json.dumps(value, ensure_ascii=False) for name in names])
    case [path, "diff", other]:
        found = list(differences(read(path), read(other)))
        print("\n".join(found[:500]) or "no difference")
    case _:
        fail(__doc__)
