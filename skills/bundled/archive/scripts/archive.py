#!/usr/bin/env python3
"""archive.py list FILE | unpack FILE FOLDER | pack FILE PATH..."""
import os, shutil, sys, tarfile, zipfile

MOST_FILES = 20_000
MOST_BYTES = 2 * 1024 * 1024 * 1024


def fail(why):
    print(f"archive: {why}", file=sys.stderr)
    sys.exit(1)


def entries(path):
    """Yields (name, size, open) of every plain file; refuses everything that is neither a file nor a folder."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                kind = (info.external_attr >> 16) & 0o170000
                if kind not in (0, 0o100000, 0o040000):
                    fail(f"{info.filename} is a link or a device")
                if not info.is_dir():
                    yield info.filename, info.file_size, lambda info=info: archive.open(info)
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for info in archive:
                if not (info.isfile() or info.isdir()):
                    fail(f"{info.name} is a link or a device")
                if info.isfile():
                    yield info.name, info.size, lambda info=info: archive.extractfile(info)
    else:
        fail(f"{path} is neither a zip nor a tar archive")


def checked(path):
    files = total = 0
    for name, size, opener in entries(path):
        parts = name.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            fail(f"{name} would lead out of the folder")
        files, total = files + 1, total + size
        if files > MOST_FILES or total > MOST_BYTES:
            fail(f"it unpacks to more than {MOST_FILES} files or {MOST_BYTES} bytes")
        yield name, size, opener


def unpack(path, folder):
    if os.path.exists(folder):
        fail(f"{folder} is there already: name a new folder")
    for _ in checked(path):
        pass
    count = 0
    try:
        for name, size, opener in checked(path):
            place = os.path.join(folder, name)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with opener() as source, open(place, "xb") as target:
                left = size
                while left >= 0:
                    piece = source.read(min(65536, left + 1))
                    if not piece:
                        break
                    left -= len(piece)
                    if left < 0:
                        fail(f"{name} is longer than it says")
                    target.write(piece)
            count += 1
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    print(f"{count} files in {folder}")


def pack(path, sources):
    if os.path.exists(path):
        fail(f"{path} is there already")
    found = []
    for source in sources:
        if os.path.isdir(source):
            for top, _, names in sorted(os.walk(source)):
                found += [os.path.join(top, name) for name in sorted(names)]
        elif os.path.isfile(source):
            found.append(source)
        else:
            fail(f"{source} is not there")
    found = [one for one in found if os.path.isfile(one) and not os.path.islink(one)]
    if path.endswith(".zip"):
        with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
            for one in found:
                archive.write(one, os.path.relpath(one))
    elif path.endswith((".tar.gz", ".tgz")):
        with tarfile.open(path, "x:gz") as archive:
            for one in found:
                archive.add(one, os.path.relpath(one), recursive=False)
    else:
        fail("the archive's name ends with .zip, .tar.gz or .tgz")
    print(f"{len(found)} files in {path}")


match sys.argv[1:]:
    case ["list", path]:
        total = 0
        for name, size, _ in entries(path):
            total += size
            print(f"{size:>12}  {name}")
        print(f"{total:>12}  in all")
    case ["unpack", path, folder]:
        unpack(path, folder)
    case ["pack", path, *sources] if sources:
        pack(path, sources)
    case _:
        fail(__doc__)
