# SPDX-License-Identifier: MIT
"""One scratch folder, and the processes whose files live in it."""

import contextlib
import functools
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

POLL_SECONDS = 0.02
# To end what will never happen, not to measure: machines that run tests may stall for seconds.
PATIENCE_SECONDS = 40.0
# Far above what any test wants to see. A program that writes on without end is ended by SIGXFSZ.
LARGEST_OUTPUT = 64 << 20
BOUNDED = ("prlimit", f"--fsize={LARGEST_OUTPUT}", "--")


class Scratch:
    """A folder of our own; leaving the `with` block stops every service in it and removes it."""

    def __init__(self):
        # Short, because a unix socket's path may not be longer than 107 bytes.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bkfs-"))
        self._services = []
        self._names = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for service in reversed(self._services):
            service.stop()
        shutil.rmtree(self.folder)

    def path(self, stem, suffix=""):
        """A path that nobody has been given before, for instance responder, responder-2, ..."""
        count = self._names[stem, suffix] = self._names.get((stem, suffix), 0) + 1
        number = "" if count == 1 else f"-{count}"
        return self.folder / f"{stem}{number}{suffix}"

    def write(self, stem, suffix, text):
        path = self.path(stem, suffix)
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, name, argv, **popen_options):
        service = Service(argv, self.path(name, ".log"), **popen_options)
        self._services.append(service)
        return service


def run(argv, stdin=b"", **options):
    """Like subprocess.run with its output captured, of which there is a bounded amount."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source = {"stdin": stdin} if isinstance(stdin, int) else {"input": stdin}
        options = {"timeout": PATIENCE_SECONDS, "check": False} | source | options
        done = subprocess.run([*BOUNDED, *map(str, argv)], stdout=out, stderr=err, **options)
        for file in (out, err):
            file.seek(0)
        done.stdout, done.stderr = out.read(), err.read()
    return done


class Service:
    """A child process. It is stopped by its process id and dies with us if we are killed. `is_bounded`: it writes no
    file, and so no log, larger than LARGEST_OUTPUT."""

    def __init__(self, argv, log_path, is_bounded=False, **popen_options):
        self.name = os.path.basename(str(argv[0]))
        self.log_path = log_path
        with open(log_path, "ab") as log:
            # Both keep the process id: they execute the program in their own place.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *(BOUNDED if is_bounded else ()), *map(str, argv)],
                stdin=popen_options.pop("stdin", subprocess.DEVNULL),
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal is for us; we then stop our services in order.
                start_new_session=True,
                **popen_options,
            )

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    @property
    def running(self):
        return self.process.poll() is None

    def wait_until(self, probe):
        """Wait for probe() to hold; a service that ends meanwhile is an error with its log."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not probe():
            if not self.running:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.log}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} is not ready after {PATIENCE_SECONDS} s:\n{self.log}")
            time.sleep(POLL_SECONDS)

    def send_signal(self, number):
        if self.running:
            self.process.send_signal(number)

    @contextlib.contextmanager
    def frozen(self):
        """No thread of it runs while the block does, which the signal alone does not wait for. It is never left so: a
        test that fails would make the next one wait without end."""
        self.send_signal(signal.SIGSTOP)
        try:
            self.wait_until(lambda: self._thread_states() == {"T"})
            yield
        finally:
            self.send_signal(signal.SIGCONT)

    def _thread_states(self):
        """As proc_pid_stat(5) names them; the name before may hold anything but ends with the last bracket."""
        return {stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
                for stat in pathlib.Path(f"/proc/{self.pid}/task").glob("*/stat")}

    def wait(self, timeout=PATIENCE_SECONDS):
        """The exit code; negative is the signal that ended it."""
        return self.process.wait(timeout)

    def stop(self, number=signal.SIGTERM, timeout=PATIENCE_SECONDS):
        """Ask it to end, insist after `timeout`, and return the exit code."""
        self.send_signal(number)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.wait()


class _RunTime(threading.Thread):
    """Counts the time in which it was woken when it asked to be."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seconds = 0.0
        self.start()

    def run(self):
        last = time.monotonic()
        while True:
            time.sleep(POLL_SECONDS)
            now = time.monotonic()
            self.seconds += min(now - last, 2 * POLL_SECONDS)
            last = now


@functools.cache
def _running_clock():
    return _RunTime()


def run_time():
    """Seconds on a clock that stands still where the machine does: for upper limits of what a test may take. The
    programs' own clocks go on meanwhile, so lower limits are for time.monotonic()."""
    return _running_clock().seconds


def becomes_true(condition, timeout=PATIENCE_SECONDS):
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def wait_until(condition, timeout=PATIENCE_SECONDS):
    assert becomes_true(condition, timeout), f"still not after {timeout} s"


def accepts(address):
    """Does somebody accept connections there? Unix path or (host, port)."""
    try:
        connect(address, timeout=1.0).close()
    except OSError:
        return False
    return True


def connect(address, timeout):
    """A stream to a unix path or (host, port). Where a queue is full it waits for room, up to `timeout` seconds:
    a unix socket that does not block would be turned away at once."""
    if isinstance(address, tuple):
        return socket.create_connection(address, timeout)
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        seconds, part = divmod(timeout, 1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", int(seconds), int(part * 1e6)))
        stream.connect(os.fspath(address))
        stream.settimeout(timeout)
    except OSError:
        stream.close()
        raise
    return stream


def free_port():
    """A loopback port that was free a moment ago."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def free_port_of_all_addresses():
    """Below those that the kernel gives to outgoing connections, which take their turns at each address."""
    while True:
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("0.0.0.0", random.randrange(20000, 32768)))
            return probe.getsockname()[1]


def find_program(name):
    """Servers stand in the sbin folders, which an ordinary user's PATH often lacks."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError(f"{name} is not installed")
    return found
