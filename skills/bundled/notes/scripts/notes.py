#!/usr/bin/env python3
"""notes.py add TITLE [#TAG...] (text on stdin) | find WORD... | list [N]"""
import datetime, os, re, sys, unicodedata

FOLDER = "notes"


def fail(why):
    print(f"notes: {why}", file=sys.stderr)
    sys.exit(1)


def slug(title):
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "note"


def all_notes():
    if not os.path.isdir(FOLDER):
        return []
    paths = [os.path.join(FOLDER, name) for name in os.listdir(FOLDER) if name.endswith(".md")]
    return sorted((path for path in paths if os.path.isfile(path) and not os.path.islink(path)), reverse=True)


def show(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    title = re.search(r"^# (.+)$", text, re.M)
    first = next((line for line in text.split("\n") if line.strip() and not line.startswith(("#", "tags:"))), "")
    print(f"{path}  {title[1] if title else ''}: {first.strip()[:100]}")


match sys.argv[1:]:
    case ["add", title, *tags]:
        text = sys.stdin.read().strip()
        if not text:
            fail("there is no text: give it as stdin")
        os.makedirs(FOLDER, exist_ok=True)
        now = datetime.datetime.now()
        path = os.path.join(FOLDER, f"{now:%Y-%m-%d}-{slug(title)}.md")
        there = os.path.exists(path)
        with open(path, "a", encoding="utf-8") as file:
            if not there:
                file.write(f"# {title}\n")
                if tags:
                    file.write(f"tags: {' '.join('#' + tag.lstrip('#') for tag in tags)}\n")
            file.write(f"\n{text}\n")
        print(f"{'added to' if there else 'written'} {path}")
    case ["find", *words] if words:
        found = []
        for path in all_notes():
            with open(path, encoding="utf-8", errors="replace") as file:
                text = (path + "\n" + file.read()).lower()
            if all(word.lower() in text for word in words):
                found.append(path)
        for path in found[:30]:
            show(path)
        print(f"({len(found)} notes)")
    case ["list", *count] if len(count) < 2 and all(one.isdigit() for one in count):
        found = all_notes()
        for path in found[: int(count[0]) if count else 20]:
            show(path)
        print(f"({len(found)} notes)")
    case _:
        fail(__doc__)
