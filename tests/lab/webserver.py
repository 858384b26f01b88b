# SPDX-License-Identifier: MIT
"""lighttpd, nginx, Apache and HAProxy with the sample configurations of conf/, on loopback ports of their own.

The sample files are used as they are, apart from sockets, ports and the places of files; what
surrounds them here is what a distribution's main configuration provides.
"""

import functools
import getpass
import grp
import http.client
import os
import pathlib
import pwd
import re
import signal

from . import scratch as lab

CONF = pathlib.Path(__file__).resolve().parents[2] / "conf"
SAMPLE_SOCKET = "/run/bkflow-states/fcgi.sock"
MOUNT = "/bkflow"

# A sample tells in a comment how its next line has to read for a mount at the root.
ROOT_INSTEAD = re.compile(r"^( *)# At the root instead: (.*)\n.*$", re.MULTILINE)

LIGHTTPD_MAIN = """
server.document-root = "{folder}"
server.bind          = "127.0.0.1"
server.port          = {port}
server.errorlog      = "{folder}/error.log"
server.upload-dirs   = ( "{folder}" )
server.modules      += ( "mod_accesslog" )
accesslog.filename   = "{folder}/other.log"
include "{sample}"
"""

NGINX_MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 2;
# Heeded for root only, who owns these files then.
user root;
events {{ worker_connections 256; }}
http {{
    default_type          application/octet-stream;
    access_log            {folder}/other.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path       {folder}/proxy;
    fastcgi_temp_path     {folder}/fastcgi;
    uwsgi_temp_path       {folder}/uwsgi;
    scgi_temp_path        {folder}/scgi;
    include {sample};
}}
"""

APACHE_MAIN = """
{modules}
ServerRoot "{folder}"
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile "{folder}/apache.pid"
ErrorLog "{folder}/error.log"
DefaultRuntimeDir "{folder}"
Mutex file:{folder}
<IfModule mod_mime.c>
    TypesConfig /dev/null
</IfModule>
DocumentRoot "{folder}/www"
{identity}
# Few processes, quickly started and stopped.
StartServers 1
ServerLimit 2
ThreadsPerChild 25
MaxRequestWorkers 50
<IfModule mod_cgid.c>
    ScriptSock "{folder}/cgid.sock"
</IfModule>
<IfModule mod_fcgid.c>
    FcgidIPCDir "{folder}/fcgid"
    FcgidProcessTableFile "{folder}/fcgid_shm"
</IfModule>
LogFormat '%h %t "%r" %>s %b' usual
CustomLog "{folder}/other.log" usual "{others}"
<Directory "/">
    Require all denied
</Directory>
<Directory "{folder}/www">
    Require all granted
    AllowOverride FileInfo Options AuthConfig
</Directory>
Include "{sample}"
"""
# How the sample wants to be left out of a log that is not its own.
APACHE_OTHERS = re.compile(r'give that one "(.*)"\.$', re.MULTILINE)
APACHE_MODULES = pathlib.Path("/usr/lib/apache2/modules")
# What Debian's package has switched on by itself; samples name the others in a comment with "a2enmod".
APACHE_USUAL = ("mpm_event", "access_compat", "alias", "auth_basic", "authn_core", "authn_file", "authz_core",
                "authz_host", "authz_user", "autoindex", "deflate", "dir", "env", "filter", "mime",
                "negotiation", "reqtimeout", "setenvif", "status")


class WebServer:
    """A started web server; `access_log` is what the sample configuration writes, `other_log` what the server
    itself does, with query strings, of requests that the sample does not take.

    `name` is lighttpd, nginx, apache2 or haproxy, `sample` a file of conf/. `replacing` maps what stands in
    the sample to what it has to be here, beside `fcgi_socket` and the server's own log and port.
    `modules` are Apache's, beyond the usual ones and those that the sample names.
    """

    def __init__(self, scratch, name, fcgi_socket=None, sample=None, replacing=None, at_root=False, modules=()):
        self.port = lab.free_port()
        self.mount = "" if at_root else MOUNT
        self.url = f"http://127.0.0.1:{self.port}{self.mount}"
        self.folder = scratch.path(name)
        self.folder.mkdir()
        self.access_log = self.folder / "access.log"
        self.other_log = self.folder / "other.log"
        self._sample_name = sample or f"{name}.conf"
        self._at_root = at_root
        self._modules = modules
        sockets = {SAMPLE_SOCKET: str(fcgi_socket)} if fcgi_socket else {}
        argv = {"lighttpd": self._lighttpd, "nginx": self._nginx, "apache2": self._apache,
                "haproxy": self._haproxy}[name](sockets | (replacing or {}))
        self.service = scratch.start(name, argv)
        try:
            self.service.wait_until(functools.partial(lab.accepts, ("127.0.0.1", self.port)))
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{self.error_log}") from error

    @property
    def error_log(self):
        path = self.folder / "error.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def get(self, path, headers=None, **others):
        """One request below the mount, on a connection of its own; returns (status, headers, body)."""
        return self.request(self.mount + path, headers, **others)

    def request(self, target, headers=None, method="GET", body=None):
        connection = self.connect()
        try:
            connection.request(method, target, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def access_log_when(self, text):
        """The access log once `text` stands in it."""
        return self.logs_when(text)[0]

    def logs_when(self, *texts):
        """The access log, and the other one, once each text stands in one of them."""
        if self.service.name == "lighttpd":
            self.service.send_signal(signal.SIGHUP)  # else it writes its logs every few seconds only
        lab.wait_until(lambda: all(text in "".join(self._logs()) for text in texts))
        return self._logs()

    def _logs(self):
        return [path.read_text(encoding="utf-8") if path.exists() else "" for path in (self.access_log, self.other_log)]

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=lab.PATIENCE_SECONDS)

    def stop(self):
        return self.service.stop()

    def _lighttpd(self, replacing):
        sample = self._sample({"/var/log/lighttpd/bkflow-states.log": str(self.access_log), **replacing})
        main = self._write("main.conf", LIGHTTPD_MAIN.format(folder=self.folder, port=self.port, sample=sample))
        return [lab.find_program("lighttpd"), "-D", "-f", main]

    def _nginx(self, replacing):
        sample = self._sample({
            self._mentioned(r"/var/log/nginx/[a-z-]+\.log"): str(self.access_log),
            self._mentioned(r"listen \d+;"): f"listen 127.0.0.1:{self.port};",
            **replacing,
        })
        main = self._write("main.conf", NGINX_MAIN.format(folder=self.folder, sample=sample))
        return [lab.find_program("nginx"), "-p", self.folder, "-e", self.folder / "error.log", "-c", main]

    def _haproxy(self, replacing):
        """A complete configuration; it stays the user who starts it, and logs to standard output."""
        sample = self._sample({
            "user haproxy\n": "\n",
            "group www-data\n": "\n",
            "log /dev/log local0": "log stdout format raw local0",
            self._mentioned(r"bind :\d+"): f"bind 127.0.0.1:{self.port}",
            **replacing,
        })
        return [lab.find_program("haproxy"), "-db", "-f", sample]

    def _mentioned(self, pattern):
        """Text of the sample."""
        text = (CONF / self._sample_name).read_text(encoding="utf-8")
        found = re.search(pattern, text)
        if not found:
            raise RuntimeError(f"conf/{self._sample_name} does not mention {pattern}")
        return found[0]

    def _apache(self, replacing):
        (self.folder / "www").mkdir()
        if self._is_htaccess():
            sample = self._write("sample.conf", "")
            self._write(f"www{self.mount}/.htaccess", self._sample_text(replacing))
        else:
            sample = self._sample({"/var/log/apache2/bkflow-states.log": str(self.access_log), **replacing})
        main = self._write("main.conf", APACHE_MAIN.format(
            folder=self.folder, port=self.port, sample=sample, identity=_apache_identity(self.folder),
            others=self._others(),
            modules="\n".join(map(_load_module, dict.fromkeys(
                [*APACHE_USUAL, *self._named_modules(), *self._modules])))))
        return [lab.find_program("apache2"), "-D", "FOREGROUND", "-f", main]

    def _others(self):
        """An .htaccess cannot name a log, so it does not say."""
        found = APACHE_OTHERS.search((CONF / self._sample_name).read_text(encoding="utf-8"))
        return found[1] if found else "env=nobody"

    def _is_htaccess(self):
        return self._sample_name == "htaccess"

    def _named_modules(self):
        text = (CONF / self._sample_name).read_text(encoding="utf-8")
        return " ".join(re.findall(r"a2enmod ([a-z_ ]+)$", text, re.MULTILINE)).split()

    def _sample(self, replacing):
        return self._write("sample.conf", self._sample_text(replacing))

    def _sample_text(self, replacing):
        text = (CONF / self._sample_name).read_text(encoding="utf-8")
        # An .htaccess is mounted where its folder stands.
        if self._at_root and not self._is_htaccess():
            text, count = ROOT_INSTEAD.subn(r"\1\2", text)
            if count == 0:
                raise RuntimeError(f"conf/{self._sample_name} does not say how it is mounted at the root")
        for there, here in replacing.items():
            if there not in text:
                raise RuntimeError(f"conf/{self._sample_name} does not mention {there}")
            text = text.replace(there, str(here))
        return text

    def _write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


def web_user():
    """The user that Apache's processes have: ourselves, but Apache refuses to serve as root."""
    if os.geteuid() != 0:
        return getpass.getuser()
    for name in ("www-data", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise RuntimeError("neither a user www-data nor a user nobody is there")


def _apache_identity(folder):
    if os.geteuid() != 0:
        return ""
    entry = pwd.getpwnam(web_user())
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return f"User {entry.pw_name}\nGroup {grp.getgrgid(entry.pw_gid).gr_name}"


def _load_module(name):
    path = APACHE_MODULES / f"mod_{name}.so"
    if not path.exists():
        raise RuntimeError(f"{path} is not installed")
    return f"LoadModule {name}_module {path}"
