#!/usr/bin/env python3
"""ics.py list FILE FROM TO | add FILE START MINUTES TITLE | month YYYY-MM"""
import calendar, datetime as dt, os, sys, uuid

MOST = 2_000  # occurrences of one event


def fail(why):
    print(f"calendar: {why}", file=sys.stderr)
    sys.exit(1)


def lines(path):
    held = None
    with open(path, encoding="utf-8", newline="") as file:
        for raw in file.read().replace("\r\n", "\n").split("\n"):
            if raw[:1] in (" ", "\t") and held is not None:
                held += raw[1:]
            else:
                if held is not None:
                    yield held
                held = raw
    if held:
        yield held


def moment(text):
    text = text.rstrip("Z")
    try:
        return dt.datetime.strptime(text, "%Y%m%dT%H%M%S") if "T" in text else dt.datetime.strptime(text, "%Y%m%d")
    except ValueError:
        fail(f"{text} is no date of a calendar")


def plain(text):
    return text.replace("\\n", " ").replace("\\N", " ").replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\")


def events(path):
    event = None
    for line in lines(path):
        name, _, value = line.partition(":")
        key = name.split(";")[0].upper()
        if line.upper() == "BEGIN:VEVENT":
            event = {}
        elif line.upper() == "END:VEVENT" and event is not None:
            if "DTSTART" in event:
                yield event
            event = None
        elif event is not None and key not in event:
            event[key] = value


def later(start, rule, count):
    step = count * int(rule.get("INTERVAL", "1"))
    match rule.get("FREQ"):
        case "DAILY":
            return start + dt.timedelta(days=step)
        case "WEEKLY":
            return start + dt.timedelta(weeks=step)
        case "MONTHLY":
            month = start.month - 1 + step
            year, month = start.year + month // 12, month % 12 + 1
            return None if start.day > calendar.monthrange(year, month)[1] else start.replace(year=year, month=month)
        case "YEARLY":
            year = start.year + step
            return None if (start.month, start.day) == (2, 29) and not calendar.isleap(year) else start.replace(year=year)
    return None


def occurrences(event, first, last):
    start = moment(event["DTSTART"])
    if "RRULE" not in event:
        return [start] if first <= start <= last else []
    rule = dict(part.split("=", 1) for part in event["RRULE"].upper().split(";") if "=" in part)
    until = moment(rule["UNTIL"]) if "UNTIL" in rule else last
    found = []
    for count in range(min(int(rule.get("COUNT", MOST)), MOST)):
        at = later(start, rule, count)
        if at is None:
            continue
        if at > min(until, last):
            break
        if at >= first:
            found.append(at)
    return found


def day(text):
    try:
        return dt.datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        fail(f"{text} is not a day, as 2030-05-31")


match sys.argv[1:]:
    case ["list", path, begin, end]:
        first, last = day(begin), day(end) + dt.timedelta(days=1, seconds=-1)
        found = sorted((at, plain(event.get("SUMMARY", "(no title)")), plain(event.get("LOCATION", ""))) for event in events(path) for at in occurrences(event, first, last))
        for at, title, place in found:
            print(f"{at:%a %Y-%m-%d %H:%M}  {title}{'  @ ' + place if place else ''}")
        print(f"{len(found)} events")
    case ["add", path, start, minutes, title]:
        try:
            begin = dt.datetime.fromisoformat(start)
            end = begin + dt.timedelta(minutes=int(minutes))
        except ValueError:
            fail("write the start as 2030-05-07T14:00 and the length in minutes")
        safe = title.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")
        event = ["BEGIN:VEVENT", f"UID:{uuid.uuid4()}", f"DTSTAMP:{dt.datetime.now(dt.timezone.utc):%Y%m%dT%H%M%SZ}", f"DTSTART:{begin:%Y%m%dT%H%M%S}", f"DTEND:{end:%Y%m%dT%H%M%S}", f"SUMMARY:{safe}", "END:VEVENT"]
        text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Wirken//calendar 1.0//EN\r\nEND:VCALENDAR\r\n"
        if os.path.exists(path):
            with open(path, encoding="utf-8", newline="") as file:
                text = file.read()
        at = text.rfind("END:VCALENDAR")
        if at < 0:
            fail(f"{path} is no calendar file")
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text[:at] + "\r\n".join(event) + "\r\n" + text[at:])
        print(f"added: {begin:%a %Y-%m-%d %H:%M}  {title}")
    case ["month", which]:
        try:
            year, month = map(int, which.split("-"))
            weeks = calendar.monthcalendar(year, month)
        except (ValueError, IndexError):
            fail("write the month as 2030-05")
        print(f"{calendar.month_name[month]} {year}\nwk  Mo Tu We Th Fr Sa Su")
        for week in weeks:
            known = next(one for one in week if one)
            print(f"{dt.date(year, month, known).isocalendar().week:>2}  " + " ".join(f"{one:>2}" if one else "  " for one in week))
    case _:
        fail(__doc__)
