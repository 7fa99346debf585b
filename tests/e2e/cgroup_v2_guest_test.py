#!/usr/bin/env python3
"""Control groups of version 2 with all controllers and the shipped systemd units, whatever this machine has: in a QEMU guest.

The guest is made once, of Debian's packages (guest/make.sh), and kept in build/guest. Each run gives it the programs that were
built, and what guest/checks.py says inside counts as this test's own."""

import fcntl
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

from center import BIN, ROOT, NotHere, expect, finish, shows, skip

WHAT = "a guest with version 2 of control groups starts, and comes to the end of its checks"
SCRIPTS = os.path.join(ROOT, "tests", "e2e", "guest")
# What makes the guest; another recipe, another guest.
RECIPE = ["make.sh", "init"]
# For all of it, and for making the guest. It takes a small part of that, unless the machine is busy.
ALL_SECONDS = 560
MAKE_SECONDS = 230
# Units that a guest of a minute has no use for.
MASKED = ["getty.target", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
          "e2scrub_reap.service", "fstrim.timer", "systemd-tmpfiles-clean.timer", "systemd-update-utmp.service",
          "systemd-update-utmp-runlevel.service", "systemd-user-sessions.service", "systemd-udev-trigger.service", "systemd-udevd.service", "systemd-pstore.service"]
LIBRARIES = "/usr/lib/x86_64-linux-gnu"


def make_guest(folder):
    """What the guest boots from lies in `folder`, made anew if its recipe has changed."""
    recipe = hashlib.sha256()
    for name in RECIPE:
        with open(os.path.join(SCRIPTS, name), "rb") as file:
            recipe.update(file.read())
    stamp = os.path.join(folder, "recipe")
    if os.path.exists(stamp) and open(stamp).read() == recipe.hexdigest():
        return
    if os.geteuid() != 0:
        raise NotHere("making the guest takes root")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        made = subprocess.run([os.path.join(SCRIPTS, "make.sh"), folder], capture_output=True, text=True, timeout=MAKE_SECONDS)
    except subprocess.TimeoutExpired:
        raise NotHere("its packages cannot be had within %d s" % MAKE_SECONDS) from None
    if made.returncode == 75:
        raise NotHere("its packages cannot be had: " + made.stderr.strip()[-300:])
    expect(made.returncode == 0, "guest/make.sh: " + made.stderr[-1500:])
    with open(stamp, "w") as file:
        file.write(recipe.hexdigest())


def write_payload(path, folder):
    """An archive of what is tested: programs, units, configuration, and the checks."""
    with open(os.path.join(folder, "libraries")) as file:
        present = set(file.read().split())
    with tarfile.open(path, "w") as archive, tempfile.TemporaryDirectory() as scratch:
        def add(name, target):
            entry = archive.gettarinfo(name, target)
            entry.uid = entry.gid = 0
            with open(name, "rb") as file:
                archive.addfile(entry, file)

        def link(target, name):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)

        for program, target in (("berthd", "sbin"), ("berth-agent", "sbin"), ("berth-shim", "sbin"), ("berth", "bin")):
            stripped = os.path.join(scratch, program)
            subprocess.run(["strip", "-o", stripped, os.path.join(BIN, program)], check=True)
            add(stripped, "usr/%s/%s" % (target, program))
            linked = subprocess.run(["ldd", stripped], capture_output=True, text=True).stdout
            for library, found in re.findall(r"(\S+) => (/\S+)", linked):
                if library not in present:
                    present.add(library)
                    add(os.path.realpath(found), LIBRARIES[1:] + "/" + library)
        units = os.path.join(ROOT, "deploy", "systemd")
        for unit in os.listdir(units):
            add(os.path.join(units, unit), "usr/lib/systemd/system/" + unit if unit.endswith(".service")
                else "usr/lib/sysusers.d/berth.conf")
        add(os.path.join(SCRIPTS, "checks.py"), "usr/lib/berth-checks/checks.py")
        add(os.path.join(ROOT, "tests", "e2e", "center.py"), "usr/lib/berth-checks/center.py")
        add(os.path.join(SCRIPTS, "berth-checks.service"), "usr/lib/systemd/system/berth-checks.service")
        link("/usr/lib/systemd/system/berth-checks.service", "etc/systemd/system/multi-user.target.wants/berth-checks.service")
        for unit in MASKED:
            link("/dev/null", "etc/systemd/system/" + unit)
        for name, text in (("etc/hostname", "guest\n"), ("etc/machine-id", "0123456789abcdef0123456789abcdef\n")):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))


def boot(folder, payload, console, verdicts, seconds):
    # no_timer_check: on a busy machine the emulated timer may be too late for the kernel, which gives up then.
    command = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1536",
               "-nodefaults", "-display", "none", "-no-reboot", "-nic", "none",
               "-kernel", os.path.join(folder, "vmlinuz"), "-initrd", os.path.join(folder, "initrd"),
               "-append", "console=ttyS0 quiet panic=-1 no_timer_check mitigations=off systemd.show_status=0",
               "-drive", "if=virtio,format=raw,snapshot=on,cache=unsafe,file=" + os.path.join(folder, "root.img"),
               "-drive", "if=virtio,format=raw,readonly=on,file=" + payload,
               "-serial", "file:" + console, "-serial", "file:" + verdicts]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, timeout=seconds, check=True)
    except subprocess.TimeoutExpired:
        return "it was stopped after %d s" % seconds
    return "it ended"


def read(path):
    with open(path, errors="replace") as file:
        return file.read().replace("\r", "")


def main():
    missing = [name for name in ("qemu-system-x86_64", "debootstrap", "cpio", "zstd", "mke2fs", "strip")
               if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None]
    if missing:
        skip(WHAT, "no " + ", ".join(missing))
        finish()
    started = time.monotonic()
    folder = os.path.join(ROOT, "build", "guest")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    output, bad = "", 0
    with shows(WHAT), open(folder + ".lock", "w") as lock, tempfile.TemporaryDirectory() as scratch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_guest(folder)
        payload, console, verdicts = (os.path.join(scratch, name) for name in ("payload", "console", "verdicts"))
        write_payload(payload, folder)
        how = ""
        # An emulated kernel that panics on a busy machine says nothing of Berth: once more.
        for _ in range(2):
            how = boot(folder, payload, console, verdicts, ALL_SECONDS - (time.monotonic() - started))
            output = read(verdicts) if os.path.exists(verdicts) else ""
            if "\nEND\n" in output or "Kernel panic" not in read(console):
                break
        print(output, end="")
        bad = len(re.findall("^FAIL ", output, re.M))
        if bad or "\nEND\n" not in output:
            print("the guest's console and the units' logs:\n" + read(console)[-8000:])
        expect("\nEND\n" in output, how)
    if bad:
        sys.exit(1)
    finish()


if __name__ == "__main__":
    main()
