#!/usr/bin/env python3
"""passages.py [WORD...]: the passages of a text (standard input) that hold the words, the best first; without words its outline."""
import re, sys

SHOWN = 8
text = sys.stdin.read()
if not text.strip():
    sys.exit("web-fetch: there is no text: give the page as stdin")
paragraphs = [" ".join(one.split()) for one in re.split(r"\n\s*\n", text) if one.strip()]
words = [word.lower() for word in sys.argv[1:]]
if not words:
    for at, one in enumerate(paragraphs[:200]):
        if at < 3 or len(one) < 90:
            print(one[:200])
    print(f"({len(paragraphs)} passages, {len(text.split())} words)")
    sys.exit()
scored = []
for at, one in enumerate(paragraphs):
    low = one.lower()
    found = [low.count(word) for word in words]
    if any(found):
        scored.append((-sum(count > 0 for count in found), -sum(found) / (1 + len(one) / 2000), at))
for _, _, at in sorted(scored)[:SHOWN]:
    around = paragraphs[at]
    if len(around) > 1200:
        place = max(0, min(around.lower().find(word) for word in words if word in around.lower()) - 400)
        around = ("..." if place else "") + around[place : place + 1200] + "..."
    print(f"[{at + 1}] {around}\n")
print(f"({len(scored)} of {len(paragraphs)} passages hold one of the words)")
