# SPDX-License-Identifier: MIT
"""Everything that is measured or needed for it: helpers, database, web servers, PHP, responders."""

import collections
import functools
import os
import pathlib
import shlex
import shutil
import subprocess

import data
from lab import galera, mariadb, responder
from lab import scratch as lab

HERE = pathlib.Path(__file__).resolve().parent
WORKERS = max(2, min(4, len(os.sched_getaffinity(0))))  # as the responder chooses
NULL_THREADS = 80  # libfcgi holds a thread for every kept connection
# Behind PHP-FPM the connections are not kept: a kept one holds a child, so that 16 clients would take at least 16
# children; with 32 of them (no connection of nginx's ever waits for a child) PHP was no faster, and p99 far worse.
PHP_CHILDREN = 4
BUFFER_POOL_BYTES = 512 << 20  # all rows in memory

# For the groups with web servers. Debian package: a program in it
NEEDED = {
    "nginx-light": "nginx",
    "lighttpd": "lighttpd",
    "wrk": "wrk",
    "php8.2-fpm": "php-fpm8.2",
    "chromium": "chromium",
    "chromium-driver": "chromedriver",
}

NGINX_CONF = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
worker_processes 2;
user root;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path       {folder}/proxy;
    fastcgi_temp_path     {folder}/fastcgi;
    uwsgi_temp_path       {folder}/uwsgi;
    scgi_temp_path        {folder}/scgi;
    fastcgi_max_temp_file_size 0;
    fastcgi_buffer_size 32k;
    fastcgi_buffers 16 32k;
    fastcgi_param SCRIPT_NAME       $fastcgi_script_name;
    fastcgi_param PATH_INFO         $fastcgi_path_info;
    fastcgi_param REQUEST_METHOD    $request_method;
    fastcgi_param QUERY_STRING      $query_string;
    fastcgi_param REQUEST_URI       $request_uri;
    fastcgi_param CONTENT_TYPE      $content_type;
    fastcgi_param CONTENT_LENGTH    $content_length;
    fastcgi_param SERVER_PROTOCOL   $server_protocol;
    fastcgi_param SERVER_SOFTWARE   nginx;
    fastcgi_param SERVER_NAME       $server_name;
    fastcgi_param SERVER_PORT       $server_port;
    fastcgi_param GATEWAY_INTERFACE CGI/1.1;
    fastcgi_param REMOTE_ADDR       $remote_addr;
    fastcgi_param REMOTE_PORT       $remote_port;
    {upstreams}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        fastcgi_split_path_info ^(/[^/]+)(/.*)$;
        {locations}
    }}
}}
"""

NGINX_UPSTREAM = "upstream {name} {{ {servers} {keepalive} }}\n"

NGINX_LOCATION = "location /{name}/ {{ fastcgi_pass {name}; fastcgi_keep_conn {keep}; {params} }}\n"

# A location with fastcgi_param of its own inherits none, so PHP's repeats what answer.php reads.
PHP_PARAMS = """
    fastcgi_param SCRIPT_FILENAME {script};
    fastcgi_param PATH_INFO       $fastcgi_path_info;
    fastcgi_param REQUEST_METHOD  $request_method;
    fastcgi_param QUERY_STRING    $query_string;
    fastcgi_param REQUEST_URI     $request_uri;
    fastcgi_param SERVER_PROTOCOL $server_protocol;
    fastcgi_param DB_SOCKET       {socket};
    fastcgi_param DB_USER         {user};
    fastcgi_param DB_PASSWORD     {password};
    fastcgi_param DB_NAME         {name};
"""

LIGHTTPD_CONF = """
server.modules       = ( "mod_fastcgi" )
server.document-root = "{folder}"
server.bind          = "127.0.0.1"
server.port          = {port}
server.errorlog      = "{folder}/lighttpd-error.log"
server.upload-dirs   = ( "{folder}" )
server.max-keep-alive-requests = 1000000000
server.stream-response-body = 1
fastcgi.server = (
{backends}
)
"""

LIGHTTPD_BACKEND = '"/{name}" => (( "socket" => "{socket}", "check-local" => "disable" )),'

FPM_CONF = """
[global]
error_log = {folder}/{pool}-error.log
daemonize = no
[{pool}]
listen = {socket}
listen.backlog = 1024
pm = static
pm.max_children = {children}
php_admin_value[opcache.enable] = 1
php_admin_value[opcache.validate_timestamps] = 0
php_admin_value[date.timezone] = UTC
php_admin_value[memory_limit] = 512M
"""


def missing_packages():
    packages = [package for package, program in NEEDED.items() if not _is_installed(program)]
    modules = subprocess.run(["php8.2", "-m"], capture_output=True, text=True, check=False).stdout \
        if _is_installed("php8.2") else ""
    return packages + ([] if "pdo_mysql" in modules else ["php8.2-mysql"])


def _is_installed(program):
    try:
        return bool(lab.find_program(program))
    except RuntimeError:
        return False


class Helpers:
    """floor, load, waiters, null, tokens and json, built from their sources; json with the responder's own library."""

    def __init__(self, scratch, builddir):
        self.floor = self._build(scratch, "floor", _pkg_config("mysqlclient"))
        self.load = self._build(scratch, "load", [])
        self.waiters = self._build(scratch, "waiters", ["-lm", *_pkg_config("mysqlclient")])
        self.null = self._build(scratch, "null", ["-lfcgi"])
        self.tokens = self._build(scratch, "tokens", _pkg_config("libcrypto"))
        core = [f"-I{HERE.parents[1] / 'src'}", pathlib.Path(builddir, "libcore.a"), "-linih"]
        self.json = self._build(scratch, "json", core + _pkg_config("mysqlclient", "json-c", "libcrypto"))

    @staticmethod
    def _build(scratch, name, flags):
        program = scratch.path(name)
        compiler = shlex.split(os.environ.get("CC", "cc"))
        sources = [HERE / f"{name}.c", HERE / "common.c", HERE / "request.c"]
        subprocess.run([*compiler, "-O2", "-Wall", "-o", program, *sources, *flags, "-lpthread"], check=True)
        return program


def _pkg_config(*names):
    done = subprocess.run(["pkg-config", "--cflags", "--libs", *names], capture_output=True, text=True, check=True)
    return shlex.split(done.stdout)


ENGINE = "bkflow_engine"
# Settings of a responder whose engine tables are in a database of their own, as in a standard installation.
SECOND_DATABASE = {"engine_database.name": ENGINE}


def start_database(scratch):
    server = mariadb.MariaDB(scratch).start()
    _fill(server)
    _copy_engine_tables(server)
    return server, _pid(server)


def _copy_engine_tables(server):
    user = server.config()["user"]
    server.sql(f"CREATE DATABASE {ENGINE}; GRANT SELECT ON {ENGINE}.* TO '{user}'@'%'", None)
    for table in ("task_taskinstance", "eri_state"):
        server.sql(f"CREATE TABLE {ENGINE}.{table} LIKE {mariadb.DATABASE}.{table}; "
                   f"INSERT INTO {ENGINE}.{table} SELECT * FROM {mariadb.DATABASE}.{table}; "
                   f"ANALYZE TABLE {ENGINE}.{table}", None)


def make_covering_index(server):
    server.load("replica_index.sql")
    server.sql("ANALYZE TABLE eri_state")


def _fill(server):
    server.sql(f"SET GLOBAL innodb_buffer_pool_size = {BUFFER_POOL_BYTES}", None)
    server.create_database()
    server.sql("".join(data.sql()))


def _pid(server):
    return int(pathlib.Path(f"{server.socket}.pid").read_text(encoding="ascii"))


def start_cluster(scratch):
    """The same rows in a Galera cluster of three nodes."""
    cluster = galera.Cluster(scratch, _fill)
    for node in cluster.nodes:
        node.sql(f"SET GLOBAL innodb_buffer_pool_size = {BUFFER_POOL_BYTES}", None)
    return cluster, [_pid(node) for node in cluster.nodes]


def start_responder(scratch, builddir, database, workers, **others):
    program = responder.Program(scratch, builddir)
    settings = responder.settings_for(
        database, **{"server.workers": workers, "response.max_nodes": 100000, "log.level": "warning"}
    )
    return program.listen(settings | others)


def waiting_for_writes(scratch):
    """The setting with which a node answers when it has what others had committed before the question."""
    text = "[bkflow-states]\ninit-command=SET SESSION wsrep_sync_wait=1\n"
    return {"database.option_file": scratch.write("sync-wait", ".cnf", text)}


def start_null(scratch, helpers, body_bytes):
    path = scratch.path("null", ".sock")
    service = scratch.start("null", [helpers.null, path, NULL_THREADS, body_bytes])
    service.wait_until(functools.partial(lab.accepts, path))
    return service, path


Php = collections.namedtuple("Php", "service socket folder")


def start_php(scratch):
    """PHP-FPM with a copy of the scripts."""
    folder = scratch.path("php")
    shutil.copytree(HERE / "peer", folder)
    pool = folder.name
    socket = scratch.path("php", ".sock")
    config = scratch.write("php", ".conf", FPM_CONF.format(
        folder=scratch.folder, pool=pool, socket=socket, children=PHP_CHILDREN))
    service = scratch.start("php-fpm", [lab.find_program("php-fpm8.2"), "-F", "-R", "-y", config])
    service.wait_until(functools.partial(lab.accepts, socket))
    return Php(service, socket, folder)


class Backend:
    """One FastCGI socket as a web server reaches it: under /name/. For nginx there may be more sockets."""

    def __init__(self, name, socket, *more, keepalive=0, params=""):
        self.name, self.socket, self.keepalive, self.params = name, socket, keepalive, params
        self._sockets = [socket, *more]

    def nginx_upstream(self):
        keepalive = f"keepalive {self.keepalive};" if self.keepalive else ""
        servers = " ".join(f"server unix:{socket};" for socket in self._sockets)
        return NGINX_UPSTREAM.format(name=self.name, servers=servers, keepalive=keepalive)

    def nginx_location(self):
        return NGINX_LOCATION.format(name=self.name, keep="on" if self.keepalive else "off", params=self.params)


def php_backend(php, script, database):
    params = PHP_PARAMS.format(script=php.folder / script, **database.config())
    return Backend(pathlib.Path(script).stem, php.socket, params=params)


def start_nginx(scratch, backends):
    port = lab.free_port()
    config = scratch.write("nginx", ".conf", NGINX_CONF.format(
        folder=scratch.folder, port=port,
        upstreams="".join(backend.nginx_upstream() for backend in backends),
        locations="".join(backend.nginx_location() for backend in backends)))
    service = scratch.start("nginx", [lab.find_program("nginx"), "-p", scratch.folder,
                                      "-e", scratch.folder / "nginx-error.log", "-c", config])
    service.wait_until(functools.partial(lab.accepts, ("127.0.0.1", port)))
    return service, port


def start_lighttpd(scratch, backends):
    port = lab.free_port()
    config = scratch.write("lighttpd", ".conf", LIGHTTPD_CONF.format(
        folder=scratch.folder, port=port,
        backends="\n".join(LIGHTTPD_BACKEND.format(name=b.name, socket=b.socket) for b in backends)))
    service = scratch.start("lighttpd", [lab.find_program("lighttpd"), "-D", "-f", config])
    service.wait_until(functools.partial(lab.accepts, ("127.0.0.1", port)))
    return service, port
