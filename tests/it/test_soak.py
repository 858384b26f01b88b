# SPDX-License-Identifier: MIT
"""`make soak`, for as long as `make check` can spare: each fault once. A real one takes twenty minutes."""

import soak
from lab import scratch

from conftest import BUILDDIR

SECONDS = 10
WAITING = 200


def test_load_with_faults():
    with scratch.Scratch() as lab:
        assert soak.soak_for(lab, BUILDDIR, SECONDS, WAITING) == []
