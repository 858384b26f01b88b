# SPDX-License-Identifier: MIT
"""A Galera cluster on one machine: one MariaDB server at each of 127.0.0.2, 127.0.0.3, ..., all on one port.

One server is filled and stopped, and each node begins with a copy of its data folder, so a joining node
lacks a few events only and is sent those (IST). Whole data folders are never sent (SST), which takes longer
and would need the scripts of the package mariadb-server.
"""

import functools
import os
import re
import subprocess
import time

from . import dbms, mariadb
from . import scratch as lab

PROVIDER = "/usr/lib/galera/libgalera_smm.so"

# A node is taken for dead after six seconds without a sign of life: machines that run tests may stall for less.
TIMING = "evs.keepalive_period=PT0.2S; evs.inactive_check_period=PT0.1S; evs.suspect_timeout=PT6S; " \
    "evs.inactive_timeout=PT15S; evs.install_timeout=PT7S; gmcast.time_wait=PT1S; "

# In MariaDB 11 each of the provider's options that an operator may change is a variable, and the others, such as
# gmcast.isolate, cannot be changed: by a plugin, which 10 does not know.
WITHOUT_PLUGIN = ("--loose-plugin-wsrep-provider=OFF",)

# What the server runs on both sides of a state transfer. Both are on this machine, so a file carries what the
# donor has to say: the joiner's own position, as it is to be sent single events.
TRANSFER_METHOD = "lab"
TRANSFER = """#!/bin/sh
bypass=
while [ $# -gt 0 ] && [ "$1" != --mysqld-args ]; do
    case $1 in
    --role) role=$2 ;;
    --address) address=${2%%/*} ;;
    --gtid) gtid=$2 ;;
    --gtid-domain-id) domain=$2 ;;
    --parent) server=$2 ;;
    --bypass) bypass=yes ;;
    esac
    shift
done
note=$0-$address
if [ "$role" = joiner ]; then
    rm -f "$note"
    echo "ready $address"
    # Nobody ends this with the server, if that is killed meanwhile.
    until [ -s "$note" ]; do
        kill -0 "$server" || exit 32
        sleep 0.05
    done
    cat "$note"
else
    [ "$bypass" ] || exit 22
    cat >/dev/null # MariaDB 11.8 writes accounts, and breaks off if nobody reads them; others' input is empty
    echo "$gtid $domain" >"$note.new"
    mv "$note.new" "$note"
    echo "done $gtid"
fi
"""


class Cluster:
    """Nodes that have what `fill`, a function of one server, has put into the database. The last one can be isolated."""

    def __init__(self, scratch, fill, size=3):
        if not dbms.has_file(PROVIDER):
            raise RuntimeError("galera-4 is not installed")
        _write_transfer_script(scratch)
        # Each port is free at all addresses, so that they differ by nothing but the address.
        self.port = lab.free_port_of_all_addresses()
        group_port, transfer_port = lab.free_port_of_all_addresses(), lab.free_port_of_all_addresses()
        addresses = [f"127.0.0.{number}" for number in range(2, 2 + size)]
        peers = ",".join(f"{address}:{group_port}" for address in addresses)
        make_node = functools.partial(Node, scratch, self.port, group_port, transfer_port, peers)
        seed = make_node(addresses[0])
        seed.found()
        fill(seed)
        seed.stop()
        self.nodes = [make_node(address, datadir=seed.datadir) for address in addresses]
        self.nodes[-1].options += WITHOUT_PLUGIN
        self.nodes[0].found()
        for node in self.nodes[1:]:
            node.launch()
        for node in self.nodes:
            node.wait_until_synced(size)

    def mend(self):
        """All nodes together again, after a test that broke off, or a halt in which they lost each other."""
        dead = [node for node in self.nodes if not node.is_running()]
        alive = [node for node in self.nodes if node.is_running()]
        if self.nodes[-1] in alive:
            self.nodes[-1].isolate(False)
        for node in alive:
            lab.wait_until(functools.partial(node.knows_of_no_more_than, len(alive)))
        if not any(node.is_ready() for node in alive):
            alive[0].bootstrap()
        for node in dead:
            node.rejoin()
        for node in self.nodes:
            node.wait_until_synced(len(self.nodes))

    def hosts(self):
        """As [database] host has them."""
        return ", ".join(node.address for node in self.nodes)

    def config(self):
        """The [database] section that leads the responder to the nodes, the first one preferred."""
        config = self.nodes[0].config() | {"host": self.hosts(), "port": self.port}
        del config["socket"]
        return config

    def engine_config(self):
        return self.nodes[0].engine_config()


class Node(mariadb.MariaDB):
    """One server of the cluster."""

    def __init__(self, scratch, port, group_port, transfer_port, peers, address, datadir=None):
        provider_options = (
            f"base_host={address}; base_port={group_port}; gmcast.listen_addr=tcp://{address}:{group_port}; "
            f"ist.recv_addr={address}:{transfer_port}; pc.recovery=false; gcache.size=1M; {TIMING}")
        super().__init__(scratch, f"galera-{address[-1]}", port, address, datadir=datadir, options=(
            "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2", "--wsrep-on=ON", f"--wsrep-provider={PROVIDER}",
            f"--wsrep-provider-options={provider_options}", f"--wsrep-cluster-address=gcomm://{peers}",
            f"--wsrep-sst-method={TRANSFER_METHOD}", f"--wsrep-node-address={address}",
            f"--wsrep-sst-receive-address={address}:{transfer_port}"))
        # Where the server looks for the script.
        self._environment = {**os.environ, "PATH": f"{scratch.folder}:{os.environ['PATH']}"}

    def found(self):
        """Start as the first node."""
        self.launch("--wsrep-new-cluster")
        self.wait_until_synced(1)

    def launch(self, *options):
        """Start, joining those that run; does not wait until it has caught up."""
        self.start(*options, env=self._environment)

    def rejoin(self):
        """Start again after kill(), at the position that the data folder is found to be at."""
        recovery = subprocess.run([*map(str, self.command()), "--wsrep-recover"], capture_output=True, text=True,
                                  check=False, timeout=60)
        position = re.search(r"Recovered position: (\S+)", recovery.stderr)
        if position is None:
            raise RuntimeError(f"no position:\n{recovery.stderr}")
        self.launch(f"--wsrep-start-position={position[1]}")

    def _wsrep(self):
        """The status variables of the replication. SHOW is answered without a quorum, too."""
        return dict(self.sql("SHOW STATUS LIKE 'wsrep%'", None))

    def is_ready(self):
        """Whether it answers anything but error 1047."""
        return self._wsrep()["wsrep_ready"] == "ON"

    def knows_of_no_more_than(self, cluster_size):
        """Whether it has found out that the others are gone."""
        return int(self._wsrep()["wsrep_cluster_size"]) <= cluster_size

    def _is_synced(self, cluster_size):
        try:
            status = self._wsrep()
        except RuntimeError:  # it can be silent for a moment while it joins
            return False
        return (status["wsrep_local_state_comment"], status["wsrep_cluster_size"]) == ("Synced", str(cluster_size))

    def wait_until_synced(self, cluster_size, timeout=60.0):
        deadline = time.monotonic() + timeout
        while not self._is_synced(cluster_size):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.address} has not caught up:\n{self._service.log[-8000:]}")
            time.sleep(lab.POLL_SECONDS)

    def isolate(self, is_isolated):
        """As when the network between this node and the others is cut; the responder still reaches it."""
        self.sql(f"SET GLOBAL wsrep_provider_options = 'gmcast.isolate={int(is_isolated)}'", None)

    def bootstrap(self):
        """What an operator does where the majority is gone for good: this node goes on alone. See docs/scale.md."""
        has_plugin = self.sql("SHOW VARIABLES LIKE 'wsrep_provider_pc_bootstrap'", None)
        self.sql("SET GLOBAL wsrep_provider_pc_bootstrap = ON" if has_plugin
                 else "SET GLOBAL wsrep_provider_options = 'pc.bootstrap=1'", None)


def _write_transfer_script(scratch):
    path = scratch.folder / f"wsrep_sst_{TRANSFER_METHOD}"
    path.write_text(TRANSFER, encoding="utf-8")
    path.chmod(0o755)
