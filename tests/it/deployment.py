# SPDX-License-Identifier: MIT
"""Each way of starting the program behind each web server, as docs/deploy.md describes them."""

import contextlib
import dataclasses
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys

from lab import responder as lab_responder
from lab import scratch as lab_scratch
from lab import webserver
from lab.scratch import wait_until

PROGRAM = "/usr/local/bin/bkflow-states"
CONFIG = "/etc/bkflow-states.conf"
SPAWN_SOCKET = "/run/bkflow-states/lighttpd.sock"


class Stage:
    """The program and its configuration where the web server's user can reach them."""

    def __init__(self, lab, program, settings):
        self.lab = lab
        self.settings = settings
        self.folder = lab.path("stage")
        self.folder.mkdir()
        shutil.copy(program.path, self.folder)
        self.program = lab_responder.Program(lab, self.folder)
        self.config = program.config(settings)
        # An ordinary user's web server is that user's; Apache as root gives root up.
        if os.geteuid() == 0:
            lab.folder.chmod(0o711)

    def socket(self):
        return self.lab.path("deployed", ".sock")

    def let_web_server_connect(self, path):
        """The responder's group is one that the web server's user belongs to."""
        if os.geteuid() == 0:
            os.chown(path, -1, pwd.getpwnam(webserver.web_user()).pw_gid)

    def processes(self):
        """Ids of the processes that run this stage's program."""
        return pids_of(self.program.path)

    def expect_no_process(self):
        """Whoever started them has ended them, or they themselves. What is left is not left for long."""
        try:
            wait_until(lambda: self.processes() == [])
        finally:
            for pid in self.processes():
                os.kill(pid, signal.SIGKILL)


def pids_of(executable):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and os.readlink(entry / "exe") == executable:
                found.append(int(entry.name))
    return found


# ---- who starts the program: context managers that give the edits of the sample ----


@contextlib.contextmanager
def own_socket(stage):
    path = stage.socket()
    responder = stage.program.listen(stage.settings | {"server.listen": f"unix:{path},mode=0660"})
    stage.let_web_server_connect(path)
    yield lambda: {webserver.SAMPLE_SOCKET: path}
    assert responder.stop() == 0, responder.log


@contextlib.contextmanager
def spawn_fcgi(stage, *options, address):
    """In the background, as an operator calls it; -F 2 makes two processes that share the socket."""
    pid_file = stage.lab.path("spawn-fcgi", ".pid")
    subprocess.run([lab_scratch.find_program("spawn-fcgi"), *map(str, options), "-F", "2", "-P", pid_file, "--",
                    stage.program.path, "--config", stage.config],
                   check=True, timeout=20, stdout=subprocess.DEVNULL, env=lab_responder.environment())
    pids = [int(word) for word in pid_file.read_text().split()]
    try:
        assert len(pids) == 2
        wait_until(lambda: lab_scratch.accepts(address))
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not set(pids) & set(stage.processes()))


@contextlib.contextmanager
def spawn_fcgi_unix(stage):
    path = stage.socket()
    with spawn_fcgi(stage, "-s", path, "-M", "0660", address=path):
        stage.let_web_server_connect(path)
        yield lambda: {webserver.SAMPLE_SOCKET: path}


@contextlib.contextmanager
def spawn_fcgi_tcp(stage):
    port = lab_scratch.free_port()
    with spawn_fcgi(stage, "-a", "127.0.0.1", "-p", port, address=("127.0.0.1", port)):
        yield lambda: {"9001": port}


@contextlib.contextmanager
def systemd_socket(stage):
    """systemd's own tool takes the place of its manager: it opens the socket and starts the service."""
    path = stage.socket()
    argv = [lab_scratch.find_program("systemd-socket-activate"), "-l", path, *exec_start(stage)]
    service = stage.lab.start("systemd-socket-activate", argv, env=lab_responder.environment())
    service.wait_until(path.exists)
    stage.let_web_server_connect(path)
    yield lambda: {webserver.SAMPLE_SOCKET: path}
    assert service.stop() == 0, service.log


def exec_start(stage):
    """What conf/systemd/bkflow-states.service starts, with our places."""
    return [{PROGRAM: stage.program.path, CONFIG: str(stage.config)}.get(word, word)
            for word in unit_value("bkflow-states.service", "ExecStart").split()]


def unit_value(unit, name):
    lines = (webserver.CONF / "systemd" / unit).read_text(encoding="utf-8").splitlines()
    values = [line.split("=", 1)[1] for line in lines if line.startswith(name + "=")]
    assert len(values) == 1, f"{name} stands {len(values)} times in {unit}"
    return values[0]


@contextlib.contextmanager
def by_lighttpd(stage):
    yield lambda: {PROGRAM: stage.program.path, CONFIG: stage.config, SPAWN_SOCKET: stage.socket()}


@contextlib.contextmanager
def by_web_server(stage):
    # Longest first: the folder of the program stands in the sample, too.
    yield lambda: {f'"{PROGRAM}': f'"{stage.program.path}', '"/usr/local/bin"': f'"{stage.folder}"',
                   CONFIG: stage.config}


@contextlib.contextmanager
def by_lighttpd_as_cgi(stage):
    yield lambda: {PROGRAM: stage.program.path, CONFIG: stage.config}


@contextlib.contextmanager
def by_htaccess(_stage):
    yield dict


# ---- deployments ----


@dataclasses.dataclass(frozen=True)
class Deployment:
    server: str
    sample: str
    started: callable
    is_cgi: bool = False
    modules: tuple = ()

    @contextlib.contextmanager
    def run(self, stage):
        with self.started(stage) as replacing:
            site = Site(self, stage, replacing)
            server = site.serve()
            try:
                yield site
            finally:
                server.stop()
        stage.expect_no_process()


class Site:
    """A deployment that runs. `server` is mounted as the sample has it."""

    def __init__(self, deployment, stage, replacing):
        self.deployment = deployment
        self.stage = stage
        self._replacing = replacing
        self.server = None

    def serve(self, at_root=False):
        server = webserver.WebServer(self.stage.lab, self.deployment.server, sample=self.deployment.sample,
                                     replacing=self._replacing(), at_root=at_root,
                                     modules=self.deployment.modules)
        if self.deployment.sample == "htaccess":
            self._write_start(server)
        self.server = self.server or server
        return server

    def _write_start(self, server):
        """What the owner of a shared host's folder puts beside the .htaccess."""
        text = (webserver.CONF / "htaccess-start").read_text(encoding="utf-8")
        for there, here in (("/srv/example/bkflow-states.conf", self.stage.config),
                            ("/srv/example/bin/bkflow-states", self.stage.program.path)):
            assert there in text
            text = text.replace(there, str(here))
        script = server.folder / f"www{server.mount}" / "bkflow-states.fcgi"
        script.write_text(text, encoding="utf-8")
        script.chmod(0o755)


DEPLOYMENTS = {
    "lighttpd": Deployment("lighttpd", "lighttpd.conf", own_socket),
    "lighttpd, spawn-fcgi on TCP": Deployment("lighttpd", "lighttpd-tcp.conf", spawn_fcgi_tcp),
    "lighttpd starts it": Deployment("lighttpd", "lighttpd-spawn.conf", by_lighttpd),
    "lighttpd, CGI": Deployment("lighttpd", "lighttpd-cgi.conf", by_lighttpd_as_cgi, is_cgi=True),
    "nginx, systemd socket": Deployment("nginx", "nginx.conf", systemd_socket),
    "nginx without kept connections, spawn-fcgi": Deployment("nginx", "nginx-no-keepalive.conf", spawn_fcgi_unix),
    "Apache mod_proxy_fcgi": Deployment("apache2", "apache-proxy.conf", own_socket),
    "Apache mod_fcgid": Deployment("apache2", "apache-fcgid.conf", by_web_server),
    "Apache CGI": Deployment("apache2", "apache-cgi.conf", by_web_server, is_cgi=True),
    ".htaccess, mod_fcgid": Deployment("apache2", "htaccess", by_htaccess, modules=("rewrite", "fcgid")),
    ".htaccess, CGI": Deployment("apache2", "htaccess", by_htaccess, is_cgi=True, modules=("rewrite", "cgid")),
}


# ---- a service whose socket somebody else holds ----


class Held:
    """A responder on a socket that outlives it, as a systemd socket unit keeps it."""

    def __init__(self, stage):
        self._stage = stage
        self.path = stage.socket()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(self.path))
        self._socket.listen(int(unit_value("bkflow-states.socket", "Backlog")))
        os.chmod(self.path, int(unit_value("bkflow-states.socket", "SocketMode"), 8))
        stage.let_web_server_connect(self.path)
        self.service = self._start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.service.stop()
        self._socket.close()

    def restart(self):
        """As "systemctl restart" does: the new process comes when the old one is gone."""
        assert self.service.stop() == 0, self.service.log
        self.service = self._start()

    def _start(self):
        number = self._socket.fileno()
        argv = [sys.executable, "-c", lab_responder.ACTIVATE, number, *exec_start(self._stage)]
        return self._stage.lab.start("held", argv, pass_fds=[number], env=lab_responder.environment())
