# SPDX-License-Identifier: MIT
"""Executes a program under the filters of system calls that a systemd unit asks for.

    unit_filter.py UNIT PROGRAM ARGUMENT...

systemd itself can only do it as process 1. Its own tools say which calls a set such as @system-service holds, and
the compiler which numbers they have here. Heeded are SystemCallFilter, SystemCallErrorNumber,
RestrictAddressFamilies and MemoryDenyWriteExecute.
"""

import ctypes
import errno
import mmap
import os
import platform
import re
import socket
import struct
import subprocess
import sys

ARCHITECTURES = {"i386": 0x40000003, "x86_64": 0xC000003E, "aarch64": 0xC00000B7, "riscv64": 0xC00000F3}
# What this program is built for; the kernel may have more bits.
MACHINE = "i386" if platform.machine() in ("i686", "x86_64") and struct.calcsize("P") == 4 else platform.machine()
# systemd leaves them alone there: an older call, socketcall, has them where no filter sees them.
RESTRICTS_FAMILIES = MACHINE != "i386"
LOAD, JUMP_EQUAL, JUMP_ANY_BIT, AND, RETURN = 0x20, 0x15, 0x45, 0x54, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def settings(unit, key):
    with open(unit, encoding="ascii") as lines:
        return [line.rstrip("\n").partition("=")[2] for line in lines if line.startswith(key + "=")]


def members(name):
    """The system calls of a set, those of the sets within it included."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    found = set()
    for line in text.splitlines()[1:]:
        if line.strip() and not line.strip().startswith("#"):
            found |= members(line.strip())
    return found


def numbers():
    """System calls by name."""
    text = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                          capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", text, re.MULTILINE)}


def allowed(unit):
    calls = set()
    for value in settings(unit, "SystemCallFilter"):
        for name in value.lstrip("~").split():
            calls = calls - members(name) if value.startswith("~") else calls | members(name)
    # What systemd needs to execute the program at all is always in.
    return calls | members("@default")


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("=HBBI", code, if_true, if_false, value)


def arguments_filter(number, argument, tests, fallback):
    """For one call: (code, value, result) on an argument's lower half, one after the other, else `fallback`."""
    body = instruction(LOAD, FIRST_ARGUMENT + 8 * argument)
    for code, value, result in tests:
        body += instruction(code, value, 0, 1) + instruction(RETURN, result)
    body += instruction(RETURN, fallback)
    return instruction(JUMP_EQUAL, number, 0, len(body) // 8) + body


def program(unit):
    by_name = numbers()
    refuse = ERROR | getattr(errno, settings(unit, "SystemCallErrorNumber")[-1])
    code = instruction(LOAD, ARCHITECTURE)
    code += instruction(JUMP_EQUAL, ARCHITECTURES[MACHINE], 1, 0) + instruction(RETURN, refuse)
    code += instruction(LOAD, NUMBER)
    if RESTRICTS_FAMILIES:
        code += arguments_filter(by_name["socket"], 0, [
            (JUMP_EQUAL, getattr(socket, family), ALLOW)
            for family in settings(unit, "RestrictAddressFamilies")[-1].split()], ERROR | errno.EAFNOSUPPORT)
    if settings(unit, "MemoryDenyWriteExecute") == ["yes"]:
        both = mmap.PROT_WRITE | mmap.PROT_EXEC
        body = instruction(LOAD, FIRST_ARGUMENT + 16) + instruction(AND, both)
        body += instruction(JUMP_EQUAL, both, 0, 1) + instruction(RETURN, refuse) + instruction(RETURN, ALLOW)
        if "mmap2" in by_name:  # the other one has its arguments where no filter sees them
            code += instruction(JUMP_EQUAL, by_name.pop("mmap"), 0, 1) + instruction(RETURN, refuse)
        code += instruction(JUMP_EQUAL, by_name.get("mmap2") or by_name["mmap"], 0, len(body) // 8) + body
        code += arguments_filter(by_name["mprotect"], 2, [(JUMP_ANY_BIT, mmap.PROT_EXEC, refuse)], ALLOW)
    for name in sorted(allowed(unit) & by_name.keys()):
        code += instruction(JUMP_EQUAL, by_name[name], 0, 1) + instruction(RETURN, ALLOW)
    return code + instruction(RETURN, refuse)


def install(code):
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code, len(code))
    head = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer)))
    none = ctypes.c_ulong(0)
    if (libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), none, none, none) != 0
            or libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), head) != 0):
        raise OSError(ctypes.get_errno(), "the filter cannot be installed")


if __name__ == "__main__":
    install(program(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
