# SPDX-License-Identifier: MIT
"""Private services for tests and the demo.

Everything here runs as the invoking user, on unix sockets or on loopback ports that the
kernel chose, inside one scratch folder that is removed at the end.
"""
