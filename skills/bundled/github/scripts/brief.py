#!/usr/bin/env python3
"""brief.py: JSON of GitHub's API on standard input, one line for each thing on standard output."""
import base64, json, sys

text = sys.stdin.read()
# An answer of http_request has its status and headers above the body.
start = min((at for at in (text.find("\n["), text.find("\n{")) if at >= 0), default=-1)
try:
    data = json.loads(text if text.lstrip()[:1] in "[{" else text[start + 1 :])
except json.JSONDecodeError as wrong:
    sys.exit(f"github: that is no JSON ({wrong.msg} at {wrong.pos}): the answer may have been cut, ask for fewer with per_page")
if isinstance(data, dict) and "message" in data and "documentation_url" in data:
    sys.exit(f"github: {data['message']}")
if isinstance(data, dict) and isinstance(data.get("content"), str) and data.get("encoding") == "base64":
    print(base64.b64decode(data["content"]).decode("utf-8", "replace"))
    sys.exit()
items = data if isinstance(data, list) else data.get("items") or data.get("check_runs") or [data]


def flat(value):
    return " ".join(str(value or "").split())


for item in items:
    who = (item.get("user") or item.get("author") or {}).get("login", "")
    when = (item.get("updated_at") or item.get("published_at") or item.get("completed_at") or "")[:10]
    if "number" in item:
        kind = "pull" if "pull_request" in item or "merged" in item else "issue"
        labels = ", ".join(one["name"] for one in item.get("labels", []) if isinstance(one, dict))
        print(f"#{item['number']} {item.get('state', '')} {kind}: {flat(item.get('title'))}  ({who}, {when}{', ' + labels if labels else ''})")
    elif "tag_name" in item:
        print(f"{item['tag_name']} {flat(item.get('name'))} ({when})")
    elif "conclusion" in item:
        print(f"{item.get('name')}: {item.get('conclusion') or item.get('status')} ({when})")
    elif "filename" in item:
        print(f"{item['filename']} +{item.get('additions')} -{item.get('deletions')}")
    elif "body" in item:
        print(f"{who} {when}: {flat(item['body'])[:400]}")
    else:
        print(flat(item.get("full_name") or item.get("path") or item.get("name") or json.dumps(item)[:200]))
print(f"({len(items)} in all)")
