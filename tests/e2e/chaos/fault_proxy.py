"""A TCP proxy that can be told to fail, one for each agent: what a network does to a stream, without privileges.

A partition does not lose bytes of a TCP stream, it holds them: so does this proxy, and what was held flows when the
fault is over, as late as it may be.
"""

import random
import select
import socket
import struct
import threading
import time

MODES = ("hold", "hold-up", "hold-down", "delay", "reset", "trickle")
CHUNK = 65536


class FaultProxy:
    def __init__(self, upstream):
        host, port = upstream.rsplit(":", 1)
        self.upstream = (host, int(port))
        self.mode = "pass"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._pairs = set()
        self._lock = threading.Lock()
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, mode):
        self.mode = mode
        if mode == "reset":
            with self._lock:
                pairs, self._pairs = self._pairs, set()
            for pair in pairs:
                for end in pair:
                    self._abort(end)

    def close(self):
        self._closed = True
        self.set("reset")
        self._listener.close()

    @staticmethod
    def _abort(end):
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _accept(self):
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self.mode == "reset":
                    raise OSError("refused while resetting")
                far = socket.create_connection(self.upstream, timeout=5)
                far.settimeout(None)
            except OSError:
                self._abort(near)
                near.close()
                continue
            pair = (near, far)
            with self._lock:
                self._pairs.add(pair)
            for source, target, way in ((near, far, "up"), (far, near, "down")):
                threading.Thread(target=self._carry, args=(pair, source, target, way), daemon=True).start()

    def _held(self, way):
        return self.mode in ("hold", "hold-" + way)

    def _carry(self, pair, source, target, way):
        try:
            while pair in self._pairs:
                if self._held(way):
                    time.sleep(0.01)
                    continue
                if not select.select([source], [], [], 0.05)[0] or self._held(way):
                    continue
                data = source.recv(1 if self.mode == "trickle" else CHUNK)
                if not data:
                    break
                if self.mode == "delay":
                    time.sleep(random.uniform(0.05, 0.5))
                target.sendall(data)
                if self.mode == "trickle":
                    self._wait_a_second()
        except (OSError, ValueError):
            pass
        with self._lock:
            self._pairs.discard(pair)
        for end in pair:
            self._abort(end)
        source.close()

    def _wait_a_second(self):
        deadline = time.monotonic() + 1
        while self.mode == "trickle" and time.monotonic() < deadline:
            time.sleep(0.02)
