"""What a host is and has, as one JSON object; runs there with the host's own python3 and changes nothing.

python3 - '{"ports": ["127.0.0.1:8080"], "folders": ["/opt"], "home": "/opt/ia0", "files": {NAME: PATH}}'
"""

import errno
import importlib.util
import json
import os
import platform
import re
import socket
import subprocess
import sys
from pathlib import Path

# State of a listening socket in /proc/net/tcp (include/net/tcp_states.h).
LISTENING = "0A"
POLKIT_RULES = "/etc/polkit-1/rules.d"


def output(*command):
    """What a program prints; empty where it fails or is not there."""
    try:
        # The commands are this file's own.
        done = subprocess.run(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        )
    except OSError:
        return ""
    return done.stdout.decode("utf-8", "replace")


def systemd_version():
    """The number, 0 where process 1 is no systemd."""
    found = re.match(r"systemd (\d+)", output("systemctl", "--version"))
    return int(found.group(1)) if found and Path("/run/systemd/system").is_dir() else 0


def has_venv():
    """Whether `python3 -m venv` can make an environment with pip; Debian has that in a package of its own."""
    return all(importlib.util.find_spec(name) is not None for name in ("venv", "ensurepip"))


def free_bytes(folder):
    """What is free for a file in this folder, which need not be there yet."""
    path = Path(folder)
    while not path.exists():
        path = path.parent
    state = os.statvfs(path)
    return state.f_bavail * state.f_frsize


def port_fault(address, ours):
    """Why this address cannot be listened on; empty where it can, or where ia0.socket does."""
    host, _, port = address.rpartition(":")
    host, port = host.strip("[]"), int(port)
    number = bind_error(host, port)
    if number in (0, None) or (number == errno.EADDRINUSE and address in ours):
        return ""
    if number == errno.EADDRINUSE:
        mine = [each for each in ours if each.endswith(f":{port}")]
        return "" if mine else f"{address} is taken by {holders(port)}"
    return f"{address} cannot be listened on: {os.strerror(number)}"


def bind_error(host, port):
    """The error number of a trial bind; 0 where it works."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        # As a server does: the remains of closed connections are no obstacle.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            trial.listen(1)
        except OSError as error:
            return error.errno
    return 0


def holders(port):
    """Who listens on the port: names and process ids."""
    inodes = listening_inodes(port)
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target in inodes:
            found.append(link.parts[2])
    names = [f"{process_name(pid)} (pid {pid})" for pid in sorted(set(found), key=int)]
    return ", ".join(names) or "a process that cannot be seen from here"


def listening_inodes(port):
    """The sockets that listen on the port, as /proc/<pid>/fd names them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text("ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def process_name(pid):
    """The process' name; a question mark where it has gone meanwhile."""
    try:
        return Path("/proc", pid, "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "?"


def socket_addresses():
    """The addresses that ia0.socket listens on now."""
    shown = output("systemctl", "show", "ia0.socket", "--property=ActiveState,Listen")
    if "ActiveState=active" not in shown:
        return []
    return re.findall(r"^(?:Listen=)?(\S+) \(Stream\)$", shown, re.M)


def releases(home):
    """The versions that are installed as a whole, the newest first."""
    marks = sorted(Path(home, "releases").glob("*/ia0-release.json"), key=lambda mark: mark.stat().st_mtime)
    return [mark.parent.name for mark in reversed(marks)]


def link_name(path):
    """The last part of what a link leads to; empty where there is none."""
    return Path(path).readlink().name if Path(path).is_symlink() else ""


def differing(home, files):
    """The files that are not as they were when the daemon last proved itself."""
    proven = Path(home, "proven", "applied")
    return sorted(name for name, path in files.items() if content(path) != content(proven / name))


def content(path):
    """The bytes of a file; None where there is none."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


def main():
    """Print what was found."""
    asked = json.loads(sys.argv[1])
    home = asked["home"]
    ours = socket_addresses()
    found = {
        "systemd": systemd_version(),
        "python": list(sys.version_info[:3]),
        "machine": platform.machine(),
        "venv": has_venv(),
        "polkit": Path(POLKIT_RULES).is_dir(),
        "free_bytes": {folder: free_bytes(folder) for folder in asked["folders"]},
        "port_faults": [fault for fault in (port_fault(each, ours) for each in asked["ports"]) if fault],
        "listening": ours,
        "releases": releases(home),
        "current": link_name(Path(home, "current")),
        "applied": link_name(Path(home, "proven", "applied")),
        "before": link_name(Path(home, "proven", "before")),
        "proven": [name for name in releases(home) if Path(home, "proven", name).is_dir()],
        "differing": differing(home, asked["files"]),
    }
    sys.stdout.write(json.dumps(found))


main()
