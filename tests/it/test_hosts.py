# SPDX-License-Identifier: MIT
"""[database] host as a list: which one is asked, and what it costs when one is not there."""

import time

import pressure
import pytest
import support
from lab import relay, scratch

TASK = 888_888
PREFERRED, SECOND, HOLE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
CHILDREN = {PREFERRED: 1, SECOND: 2}
WORKERS = 3


@pytest.fixture(scope="module")
def hosts(lab):
    """Two servers on one port; a task has as many children as tell which server was asked."""
    port = scratch.free_port()
    return {address: start_host(lab, address, port) for address in CHILDREN}


def start_host(lab, address, port):
    return support.start_server_with(lab, f"host-{address}", TASK, CHILDREN[address], port=port, address=address)


def settings(hosts, names, **others):
    server = hosts[PREFERRED]
    reach = server.config() | {"host": ", ".join(names), "port": server.port}
    del reach["socket"]
    return ({f"database.{key}": value for key, value in reach.items()}
            | {"auth.failure_limit": 0, "server.workers": WORKERS} | others)


def comes_from(address):
    return lambda answer: answer.children == CHILDREN[address]


def assert_only_from(answers, *addresses):
    """No answer but theirs, and errors that say when to try again."""
    for answer in answers:
        if answer.status == 200:
            assert answer.children in [CHILDREN[address] for address in addresses], vars(answer)
        else:
            assert answer.code in (50301, 50302, 50401) and answer.retry_after, vars(answer)


def test_fails_over_and_returns(program, hosts):
    responder = program.listen(settings(hosts, [PREFERRED, SECOND]))
    with pressure.Pressure(responder, TASK) as load:
        load.wait_for(comes_from(PREFERRED))
        assert_only_from(load.answers(), PREFERRED)
        hosts[PREFERRED].stop()
        assert load.wait_for(comes_from(SECOND)) < 3
        load.wait_for_calm()
        back = time.monotonic()
        hosts[PREFERRED].start()
        load.wait_for(comes_from(PREFERRED))
        settled = time.monotonic()
        load.wait_for_calm()
    # Nobody notices the return: no error, and no waiting for a connection in the making.
    returning = load.answers(back)
    assert [answer.status for answer in returning if answer.status != 200] == []
    assert_only_from(load.answers(settled + 2), PREFERRED)
    assert "the database host answers again" in responder.log
    assert responder.stop() == 0


def test_a_host_may_have_a_port_of_its_own(program, hosts):
    """Nobody listens at the preferred one's, and nothing but the second one's own port leads anywhere."""
    names = [f"{PREFERRED}:{scratch.free_port()}", f"{SECOND}:{hosts[SECOND].port}"]
    responder = program.listen(settings(hosts, names, **{"database.port": 1}))
    with pressure.Pressure(responder, TASK) as load:
        load.wait_for_calm()
    assert_only_from(load.answers(), SECOND)
    assert f"host={names[0]} " in responder.log
    assert responder.stop() == 0


def test_does_not_return_before_the_preferred_one_is_back(program, hosts):
    """And trying it costs the second one's answers nothing."""
    responder = program.listen(settings(hosts, [HOLE, SECOND]))  # nobody listens there: refused at once
    with pressure.Pressure(responder, TASK) as load:
        load.wait_for_calm(100)
    assert_only_from(load.answers(), SECOND)
    assert all(answer.status == 200 for answer in load.answers())
    assert responder.stop() == 0


def test_a_host_that_drops_packets_is_waited_for_once(program, hosts):
    """And not for the whole connect_timeout where there is another one."""
    responder = program.listen(settings(hosts, [HOLE, SECOND], **{"database.connect_timeout": "10s"}))
    with relay.black_hole(HOLE, hosts[SECOND].port):
        with pressure.Pressure(responder, TASK) as load:
            load.wait_for_status(200)
            load.wait_for_calm()
            known = time.monotonic()
            # A connection that is lost is made anew without waiting for the first host again.
            for _ in range(3):
                assert hosts[SECOND].kill_connections() > 0
                load.wait_for_calm()
    # Workers that met it before anybody knew waited 0.3 s for it, each once.
    assert max(answer.run_seconds for answer in load.answers()) < 5
    assert max(answer.run_seconds for answer in load.answers(known)) < 2
    assert [answer.status for answer in load.answers() if answer.status != 200] == []
    assert_only_from(load.answers(), SECOND)
    assert responder.stop() == 0


def test_a_host_that_freezes_is_left_and_returned_to(program, hosts):
    responder = program.listen(settings(hosts, [PREFERRED, SECOND], **{"database.query_timeout": "500ms"}))
    with pressure.Pressure(responder, TASK) as load:
        load.wait_for(comes_from(PREFERRED))
        with hosts[PREFERRED].frozen():
            assert load.wait_for(comes_from(SECOND)) < 5
            load.wait_for_calm()
        load.wait_for(comes_from(PREFERRED))
        load.wait_for_calm()
    assert_only_from(load.answers(), PREFERRED, SECOND)
    assert responder.stop() == 0


def test_engine_and_interface_fail_over_apart(program, hosts):
    """The engine's host of choice is gone, the interface's is not."""
    engine = {key.replace("database.", "engine_database."): value
              for key, value in settings(hosts, [HOLE, SECOND]).items() if key.startswith("database.")}
    responder = program.listen(settings(hosts, [PREFERRED, SECOND]) | engine)
    with pressure.Pressure(responder, TASK, clients=2) as load:
        load.wait_for(comes_from(SECOND))
        hosts[PREFERRED].stop()
        load.wait_for_calm()
        hosts[PREFERRED].start()
    assert_only_from(load.answers(), SECOND)
    assert responder.stop() == 0


def test_plain_cgi_takes_the_next_host(program, hosts):
    """A process for one request knows nothing of others: it tries the hosts in order."""
    with relay.black_hole(HOLE, hosts[SECOND].port):
        started = scratch.run_time()
        response = program.cgi(settings(hosts, [HOLE, SECOND], **{"database.connect_timeout": "1s"}),
                               support.states(TASK))
    assert scratch.run_time() - started < 4
    assert len(support.success(response).value("children")) == CHILDREN[SECOND]
