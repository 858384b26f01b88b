# SPDX-License-Identifier: MIT
"""What the process does while nobody asks, and what it keeps of configurations that are no longer in use."""

import pathlib
import time

import memory
import support
from lab import responder as lab_responder
from lab.scratch import wait_until

TICKS_PER_SECOND = 10


def wake_ups(responder):
    """How often a thread of it has gone to sleep so far, which is as often as one woke up."""
    tasks = pathlib.Path(f"/proc/{responder.service.pid}/task").glob("*/status")
    lines = [line for task in tasks for line in task.read_text(encoding="ascii").splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches:"))


def test_an_idle_process_wakes_up_for_its_ticks_only(program, database, finished_task):
    """The main thread has ten a second; workers and the prober sleep. A machine that stands still lowers the count."""
    responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 4}))
    with responder.connect() as kept:
        support.success(kept.ask(support.states(finished_task)))
        before, started = wake_ups(responder), time.monotonic()
        time.sleep(4)
        count, seconds = wake_ups(responder) - before, time.monotonic() - started
        support.success(kept.ask(support.states(finished_task)))
    assert 0 < count < 1.3 * TICKS_PER_SECOND * seconds + 20
    assert responder.stop() == 0


def reload(responder, settings):
    size = len(responder.log)
    responder.reload(settings)
    responder.wait_for_log(" reloaded", since=size)


def test_reloads_leave_nothing_behind(program, database, finished_task):
    """What a configuration takes is some 10 KB: a hundred that were kept would be seen."""
    memory.skip_if_sanitized(program)
    settings = lab_responder.settings_for(database, **{"server.workers": 2})
    responder = program.listen(settings)

    def reload_often(count):
        for number in range(count):
            reload(responder, settings | {"response.language": ("en", "zh-cn")[number % 2]})
            support.success(responder.ask(support.states(finished_task)))
        return memory.resident_kilobytes(responder)

    before = reload_often(30)
    assert reload_often(120) - before < 400
    assert responder.stop() == 0


def test_a_password_is_forgotten_soon_after_the_reload_that_replaced_it(program, database, finished_task):
    """Also by workers that nobody asks, and by the overload responder that was never needed."""
    memory.skip_if_sanitized(program)
    settings = lab_responder.settings_for(database, **{"server.workers": 3})
    old = "the-password-before-the-reload"
    responder = program.listen(settings | {"database.password": old})
    support.assert_error(responder.ask(support.states(finished_task)), 503, 50301)
    assert memory.find(responder, [old])
    reload(responder, settings)
    support.success(responder.ask(support.states(finished_task)))
    wait_until(lambda: not memory.find(responder, [old]))
    assert responder.stop() == 0
