#!/usr/bin/env python3
"""pdf_text.py FILE [FIRST [LAST]]: the text of a PDF's pages."""
import re, sys, zlib

MOST = 64 * 1024 * 1024  # of one stream, unpacked
TOKEN = re.compile(rb"\((?:[^()\\]|\\.|\((?:[^()\\]|\\.|\([^()]*\))*\))*\)|<[0-9A-Fa-f\s]*>|\[|\]|/[^\s/<>\[\]()]*|[-+]?[\d.]+|[A-Za-z'\"*]+", re.S)
ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def fail(why):
    print(f"pdf-text: {why}", file=sys.stderr)
    sys.exit(1)


def unpacked(head, data):
    filters = re.findall(rb"/(FlateDecode|Fl|ASCIIHexDecode|ASCII85Decode|LZWDecode|DCTDecode|JPXDecode|CCITTFaxDecode|JBIG2Decode)\b", head)
    for name in filters:
        if name in (b"FlateDecode", b"Fl"):
            try:
                data = zlib.decompressobj().decompress(data, MOST)
            except zlib.error:
                return b""
        elif name == b"ASCII85Decode":
            import base64
            try:
                data = base64.a85decode(data.strip().removesuffix(b"~>"), adobe=False)
            except ValueError:
                return b""
        elif name == b"ASCIIHexDecode":
            data = bytes.fromhex(re.sub(rb"[^0-9A-Fa-f]", b"", data).decode().ljust(2, "0"))
        else:
            return b""
    predictor = re.search(rb"/Predictor\s+(\d+)", head)
    if predictor and int(predictor[1]) >= 10:
        columns = int((re.search(rb"/Columns\s+(\d+)", head) or [0, 1])[1])
        rows, before = [], bytearray(columns)
        for at in range(0, len(data) - columns, columns + 1):
            row = bytearray(data[at + 1 : at + 1 + columns])
            if data[at] == 2:
                row = bytearray((a + b) & 255 for a, b in zip(row, before))
            rows.append(row)
            before = row
        data = b"".join(rows)
    return data


class Document:
    def __init__(self, raw):
        self.raw, self.objects, self.streams = raw, {}, {}
        for found in re.finditer(rb"(\d+)\s+\d+\s+obj\b", raw):
            start = found.end()
            end = raw.find(b"endobj", start)
            body = raw[start : end if end >= 0 else len(raw)]
            at = re.search(rb"stream\r?\n", body)
            head = body[: at.start()] if at else body
            number = int(found[1])
            self.objects[number] = head
            if at:
                length = re.search(rb"/Length\s+(\d+)(?!\s+\d+\s+R)", head)
                begin = start + at.end()
                stop = begin + int(length[1]) if length else raw.find(b"endstream", begin)
                self.streams[number] = (head, raw[begin:stop])
        for number in list(self.streams):
            head = self.streams[number][0]
            if b"/ObjStm" in head:
                data = self.stream(number)
                first = int((re.search(rb"/First\s+(\d+)", head) or [0, 0])[1])
                numbers = [int(one) for one in re.findall(rb"\d+", data[:first])]
                pairs = list(zip(numbers[::2], numbers[1::2]))
                for at, (inner, offset) in enumerate(pairs):
                    stop = first + pairs[at + 1][1] if at + 1 < len(pairs) else len(data)
                    self.objects.setdefault(inner, data[first + offset : stop])

    def stream(self, number):
        return unpacked(*self.streams[number]) if number in self.streams else b""

    def pages(self):
        found = {number for number, head in self.objects.items() if re.search(rb"/Type\s*/Page(?!s)\b", head)}
        order, seen = [], set()

        def enter(number):
            if number in seen or number not in self.objects:
                return
            seen.add(number)
            if number in found:
                order.append(number)
            kids = re.search(rb"/Kids\s*\[(.*?)\]", self.objects[number], re.S)
            for kid in re.findall(rb"(\d+)\s+\d+\s+R", kids[1]) if kids else []:
                enter(int(kid))

        for number, head in self.objects.items():
            if b"/Catalog" in head and (root := re.search(rb"/Pages\s+(\d+)", head)):
                enter(int(root[1]))
        return order + sorted(found - set(order))

    def maps(self, page):
        """Each font's name on the page, and what its codes mean."""
        head = self.objects[page]
        for _ in range(20):
            if b"/Font" in head or not (up := re.search(rb"/Parent\s+(\d+)", head)):
                break
            head = head + self.objects.get(int(up[1]), b"")
        if found := re.search(rb"/Resources\s+(\d+)\s+\d+\s+R", head):
            head += self.objects.get(int(found[1]), b"")
        if found := re.search(rb"/Font\s+(\d+)\s+\d+\s+R", head):
            head += b"/Font<<" + self.objects.get(int(found[1]), b"") + b">>"
        fonts = {}
        for block in re.findall(rb"/Font\s*<<(.*?)>>", head.replace(b"/Font<<<<", b"/Font<<"), re.S):
            for name, number in re.findall(rb"/([^\s/]+)\s+(\d+)\s+\d+\s+R", block):
                font = self.objects.get(int(number), b"")
                unicode = re.search(rb"/ToUnicode\s+(\d+)", font)
                wide = b"/Identity-H" in font or b"/Type0" in font
                fonts[name] = (wide, meanings(self.stream(int(unicode[1]))) if unicode else {})
        return fonts

    def text(self, page):
        fonts = self.maps(page)
        contents = re.search(rb"/Contents\s*(\[.*?\]|\d+\s+\d+\s+R)", self.objects[page], re.S)
        data = b"\n".join(self.stream(int(one)) for one in re.findall(rb"(\d+)\s+\d+\s+R", contents[1])) if contents else b""
        out, font, stack, inside = [], (False, {}), [], False
        for match in TOKEN.finditer(data):
            token = match[0]
            if token[:1] in b"(<[]/" or token[:1] in b"0123456789+-.":
                stack.append(token)
                stack = stack[-2000:]
                continue
            if token == b"BT":
                inside = True
            elif token == b"ET":
                inside = False
                out.append("\n")
            elif token == b"Tf":
                font = fonts.get(next((one[1:] for one in reversed(stack) if one[:1] == b"/"), b""), (False, {}))
            elif token in (b"Td", b"TD", b"T*", b"Tm"):
                moved = [one for one in stack if one[:1] in b"0123456789+-."][-2:]
                if token in (b"T*", b"Tm") or (len(moved) == 2 and number(moved[1]) != 0):
                    out.append("\n")
                else:
                    out.append(" ")
            elif token in (b"Tj", b"TJ", b"'", b'"') and inside:
                if token in (b"'", b'"'):
                    out.append("\n")
                for one in stack:
                    if one[:1] == b"(" or (one[:1] == b"<" and one != b"<"):
                        out.append(decoded(one, font))
                    elif token == b"TJ" and one[:1] in b"-" and number(one) < -180:
                        out.append(" ")
            stack = []
        return re.sub(r"\n\s*\n+", "\n", re.sub(r"[ \t]+", " ", "".join(out))).strip()


def number(text):
    try:
        return float(text)
    except ValueError:
        return 0.0


def utf16(digits):
    return bytes.fromhex(digits.decode()).decode("utf-16-be", "replace") if len(digits) % 4 == 0 else chr(int(digits, 16))


def meanings(cmap):
    found = {}
    for block in re.findall(rb"beginbfchar(.*?)endbfchar", cmap, re.S):
        for code, text in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            found[int(code, 16)] = utf16(text)
    for block in re.findall(rb"beginbfrange(.*?)endbfrange", cmap, re.S):
        for low, high, text in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            for at in range(int(low, 16), min(int(high, 16), int(low, 16) + 65535) + 1):
                base = utf16(text)
                found[at] = base[:-1] + chr(ord(base[-1]) + at - int(low, 16)) if base else ""
    return found


def decoded(token, font):
    wide, known = font
    if token[:1] == b"<":
        digits = re.sub(rb"\s", b"", token[1:-1])
        data = bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())
    else:
        data = re.sub(rb"\\([0-7]{1,3}|\r?\n|.)", lambda m: bytes([int(m[1], 8) & 255]) if m[1][:1] in b"01234567" else ESCAPES.get(m[1], b"" if m[1].strip() == b"" else m[1]), token[1:-1], flags=re.S)
    size = 2 if wide else 1
    codes = [int.from_bytes(data[at : at + size], "big") for at in range(0, len(data), size)]
    if known:
        return "".join(known.get(code, "") for code in codes)
    return "" if wide else data.decode("cp1252", "replace")


if len(sys.argv) < 2:
    fail(__doc__)
with open(sys.argv[1], "rb") as file:
    raw = file.read()
if b"%PDF-" not in raw[:1024]:
    fail(f"{sys.argv[1]} is no PDF")
if re.search(rb"/Encrypt\s+\d+\s+\d+\s+R", raw):
    fail("it is encrypted: no text can be had without its password")
try:
    first, last = int((sys.argv[2:3] or ["1"])[0]), int((sys.argv[3:4] or sys.argv[2:3] or ["1000000"])[0])
except ValueError:
    fail("pages are numbers")
document = Document(raw)
pages = document.pages()
print(f"{len(pages)} pages")
for at, page in enumerate(pages, 1):
    if first <= at <= last:
        print(f"\n--- page {at} ---\n{document.text(page) or '(no text)'}")
