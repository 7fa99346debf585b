#!/usr/bin/env python3
"""--image: a job runs inside a root file system, or an OCI image, with the same devices, limits, environment and logs."""

import os
import re
import shutil
import subprocess

from center import Center, NotHere, expect, finish, shows, skip

# Debian's files of a small system: the programs and what they are linked with.
PROGRAMS = ["/bin/sh", "/usr/bin/cat", "/usr/bin/ls", "/usr/bin/env", "/usr/bin/id", "/usr/bin/touch", "/usr/bin/sleep"]


def make_root(folder):
    """A root file system of files of installed Debian packages."""
    found = set()
    for program in PROGRAMS:
        found.add(program)
        linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        found.update(re.findall(r"(/\S+) \(0x", linked))
    for path in found:
        target = folder + path
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(path, target)
    os.makedirs(folder + "/etc")
    with open(folder + "/etc/image-name", "w") as file:
        file.write("a small image\n")
    for name in ("bin", "lib64"):  # as /bin/sh and the loader are asked for
        if not os.path.exists(os.path.join(folder, name)):
            os.symlink("usr/" + name, os.path.join(folder, name))


def logs_of(center, token, *options, code=0):
    job = center.submit("--nodes", "1", *options, token=token)
    waited = center.try_berth("wait", str(job), token=token)
    expect(waited.code == code, "%s\n%s" % (waited, center.berth("show", str(job), token=token)))
    return job, center.berth("logs", str(job), token=token) if code == 0 else ""


def podman_image(root):
    """The root file system as an image in podman's store; the name."""
    if shutil.which("podman") is None:
        raise NotHere("no podman")
    name = "localhost/berth-e2e-%d:1" % os.getpid()
    packed = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
    made = subprocess.run(["podman", "import", "--change", "ENV FROM_IMAGE=yes", "-", name], stdin=packed.stdout,
                          capture_output=True, text=True)
    packed.wait()
    if made.returncode != 0:
        raise NotHere("podman import: " + made.stderr.strip()[-200:])
    # Whether podman can do here what the agent asks of it: as root it cannot in every container.
    mounted = subprocess.run(["podman", "image", "mount", name], capture_output=True, text=True)
    if mounted.returncode != 0:
        subprocess.run(["podman", "image", "rm", name], capture_output=True)
        raise NotHere("podman image mount: " + mounted.stderr.strip()[-200:])
    subprocess.run(["podman", "image", "unmount", name], capture_output=True, check=True)
    return name


def main():
    if os.geteuid() != 0:
        skip("images", "an agent needs root for mounts of its own")
        finish()
        return
    with Center("--nodes", "2", "--devices", "4", "--isolation", "allow") as center:
        token = center.add_tenant("acme", 8, 8)
        root = center.path("images", "small")
        make_root(root)

        with shows("a root file system is the job's whole world; devices, environment, output and logs are as ever"):
            job, log = logs_of(center, token, "--image", root, "--devices", "2", "--", "sh", "-c",
                               "cat /etc/image-name; ls /root /home 2>&1; id -u; echo gpus $CUDA_VISIBLE_DEVICES; "
                               "echo kept > $BERTH_OUTPUT_DIR/result; touch /tmp/a && echo tmp")
            expect("a small image" in log and re.search(r"^gpus \d,\d$", log, re.M) and "tmp" in log, log)
            expect(log.count("No such file or directory") == 2, "the host's folders are there:\n" + log)
            expect(re.search(r"^19\d{8}$", log, re.M), "not a user of its own:\n" + log)
            shown = center.job(job, token=token)
            expect(shown["spec"]["image"] == root, str(shown["spec"]))
            kept = center.path("agent-" + shown["nodes"][0].rsplit("-", 1)[1], "jobs", str(job), "output", "result")
            expect(open(kept).read() == "kept\n", kept)

        with shows("a gang in an image: both members, with their rendezvous"):
            job = center.submit("--nodes", "2", "--devices", "4", "--image", root, "--", "sh", "-c",
                                "cat /etc/image-name; echo rank $NODE_RANK of $NNODES at $MASTER_ADDR", token=token)
            expect(center.try_berth("wait", str(job), token=token).code == 0, str(center.job(job, token=token)))
            for rank in (0, 1):
                log = center.berth("logs", "%d" % job, "--rank", str(rank), token=token)
                expect("a small image" in log and "rank %d of 2" % rank in log, log)

        with shows("what a job changes in its image is gone with it"):
            os.chmod(root + "/etc", 0o777)
            logs_of(center, token, "--image", root, "--", "touch", "/etc/changed")
            expect(not os.path.exists(root + "/etc/changed"), "the image was changed")
            _, log = logs_of(center, token, "--image", root, "--", "ls", "/etc")
            expect("changed" not in log, log)

        with shows("an image that is not there, or not in the operator's folders: image-error, saying so; exit 120"):
            for image, why in ((root + "-missing", "no folder"), ("/etc", "not in one of"),
                               (root + "/../../agent-1", "not in one of")):
                job, _ = logs_of(center, token, "--image", image, "--max-requeues", "0", "--", "true", code=120)
                end = center.job(job, token=token)["end"]
                expect(end["reason"] == "image-error" and why in end["message"], str(end))

        with shows("a name that is an option is refused at submit"):
            result = center.try_berth("submit", "--project", "research", "--image=--privileged", "--", "true", token=token)
            expect(result.code == 6 or "B1227" in result.err, str(result))

        with shows("an OCI image of podman's store: its files and its environment"):
            name = podman_image(root)
            try:
                _, log = logs_of(center, token, "--image", name, "--", "sh", "-c", "cat /etc/image-name; echo $FROM_IMAGE")
                expect("a small image\nyes\n" in log, log)
                job, _ = logs_of(center, token, "--image", "localhost/no-such-image:1", "--", "true", code=120)
                end = center.job(job, token=token)["end"]
                expect(end["reason"] == "image-error" and "cannot pull it" in end["message"], str(end))
            finally:
                subprocess.run(["podman", "image", "unmount", name], capture_output=True)
                subprocess.run(["podman", "image", "rm", name], capture_output=True)
    finish()


if __name__ == "__main__":
    main()
