"""Starting and killing single daemons of a Center, quicker than dev-cluster.sh does it."""

import os
import signal
import subprocess

from center import BIN, Center, alive, expect, wait_until

# The shortest lease that a loaded machine keeps: a silent node's tasks are dead after 4 s, and run elsewhere after 5.
SHORT_LEASE = ["--config", "nodes.mass_loss_percent=100", "--config", "lease.timeout=3s", "--config", "lease.kill_timeout=1s", "--config", "nodes.lost_after=5s",
               "--config", "nodes.heartbeat_interval=200ms", "--config", "nodes.suspect_after=1500ms"]


class ChaosCenter(Center):
    """Children of this process are reaped here: a zombie would count as alive."""

    def __init__(self, *options):
        super().__init__(*options)
        self._children = {}
        self._settings = [word for word in options if "=" in word]

    def settle_address(self):
        """dev-cluster.sh writes the port that the scheduler got into its configuration at the second start."""
        self.kill("berthd")
        self.up()

    def _start(self, name, program, *words):
        with open(self.path(name + ".log"), "ab") as log:
            child = subprocess.Popen([os.path.join(BIN, program), "--config", self.path(name + ".toml"), *words],
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._children[child.pid] = child
        with open(self.path(name + ".pid"), "w") as file:
            file.write("%d\n" % child.pid)
        return child

    def start_scheduler(self):
        port = self.path("port")
        if os.path.exists(port):
            os.unlink(port)
        words = [word for setting in self._settings for word in ("--set", setting)]
        child = self._start("berthd", "berthd", *words)
        wait_until(lambda: os.path.exists(port) or child.poll() is not None, 20, "the scheduler serves")
        expect(child.poll() is None, "the scheduler ended with %s" % child.poll())

    def start_agent(self, name):
        self._start(name, "berth-agent")

    def kill(self, name, number=signal.SIGKILL):
        pid = self.pid(name)
        os.kill(pid, number)
        if pid in self._children:
            self._children.pop(pid).wait()
        wait_until(lambda: not alive(pid), 10, name + " is dead")

    def restart_agent_at(self, name, server):
        """From now on the agent finds the scheduler at another address."""
        path = self.path(name + ".toml")
        with open(path) as file:
            lines = file.readlines()
        with open(path, "w") as file:
            file.writelines('server = "%s"\n' % server if line.startswith("server = ") else line for line in lines)
        self.kill(name)
        self.start_agent(name)

    def await_ready(self, seconds=30):
        wait_until(lambda: all(node["state"] == "ready" for node in self.items("nodes")), seconds, "all nodes are ready")
