// SPDX-License-Identifier: MIT
#include "sandbox.h"

#include "base/log.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// A list of forbidden calls, not of permitted ones: the database library, its plug-ins and the C
// library's name services differ too much between systems.

#if defined(__x86_64__) && defined(__LP64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined(__i386__)
#define ARCHITECTURE AUDIT_ARCH_I386
#endif

#ifdef ARCHITECTURE

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ALLOW       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define FAIL(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
// Skips the next instruction unless the loaded value is VALUE.
#define ONLY_IF(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1)
#define REFUSE(name)   ONLY_IF(__NR_##name), FAIL(EPERM)

// For kernels newer than the headers. New calls have the same number on all architectures.
#ifndef __NR_mount_setattr
#define __NR_mount_setattr 442
#endif
#ifndef __NR_quotactl_fd
#define __NR_quotactl_fd 443
#endif
#ifndef __NR_process_mrelease
#define __NR_process_mrelease 448
#endif
#ifndef __NR_open_tree_attr
#define __NR_open_tree_attr 467
#endif

static const struct sock_filter filter[] = {
    // Calls of other architectures have different numbers.
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
    FAIL(EPERM),
    LOAD(nr),
#ifdef __x86_64__
    // x32 counts as the same architecture, but its numbers start here.
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000U, 0, 1),
    FAIL(EPERM),
#endif
    // Other programs and processes.
    REFUSE(execve),
    REFUSE(execveat),
    REFUSE(process_vm_readv),
    REFUSE(process_vm_writev),
    REFUSE(pidfd_open),
    REFUSE(pidfd_getfd),
    REFUSE(process_madvise),
    REFUSE(process_mrelease),
    REFUSE(kcmp),
    REFUSE(move_pages),
    REFUSE(migrate_pages),
#ifdef __NR_fork
    REFUSE(fork),
    REFUSE(vfork),
#endif
    // Other users, file systems, and namespaces.
    REFUSE(setuid),
    REFUSE(setgid),
    REFUSE(setreuid),
    REFUSE(setregid),
    REFUSE(setresuid),
    REFUSE(setresgid),
    REFUSE(setfsuid),
    REFUSE(setfsgid),
    REFUSE(setgroups),
#ifdef __NR_setuid32 // the ones above take numbers of 16 bits on old architectures
    REFUSE(setuid32),
    REFUSE(setgid32),
    REFUSE(setreuid32),
    REFUSE(setregid32),
    REFUSE(setresuid32),
    REFUSE(setresgid32),
    REFUSE(setfsuid32),
    REFUSE(setfsgid32),
    REFUSE(setgroups32),
#endif
    REFUSE(capset),
    REFUSE(add_key),
    REFUSE(request_key),
    REFUSE(keyctl),
    REFUSE(chroot),
    REFUSE(pivot_root),
    REFUSE(mount),
    REFUSE(umount2),
#ifdef __NR_umount
    REFUSE(umount),
#endif
    REFUSE(mount_setattr),
    REFUSE(open_tree),
    REFUSE(open_tree_attr),
    REFUSE(move_mount),
    REFUSE(fsopen),
    REFUSE(fspick),
    REFUSE(fsconfig),
    REFUSE(fsmount),
    REFUSE(name_to_handle_at),
    REFUSE(open_by_handle_at),
    REFUSE(fanotify_init),
    REFUSE(mknodat),
#ifdef __NR_mknod
    REFUSE(mknod),
#endif
    REFUSE(swapon),
    REFUSE(swapoff),
    REFUSE(quotactl),
    REFUSE(quotactl_fd),
    REFUSE(acct),
    REFUSE(unshare),
    REFUSE(setns),
    // The machine: its name, its clock, its devices.
    REFUSE(sethostname),
    REFUSE(setdomainname),
    REFUSE(settimeofday),
    REFUSE(clock_settime),
    REFUSE(clock_adjtime),
    REFUSE(adjtimex),
#ifdef __NR_clock_settime64
    REFUSE(clock_settime64),
    REFUSE(clock_adjtime64),
#endif
#ifdef __NR_stime
    REFUSE(stime),
#endif
    REFUSE(vhangup),
    REFUSE(syslog),
#ifdef __NR_iopl
    REFUSE(iopl),
    REFUSE(ioperm),
    REFUSE(modify_ldt),
#endif
#ifdef __NR_vm86
    REFUSE(vm86),
    REFUSE(vm86old),
#endif
    // The kernel: loading code, and subsystems with many known faults.
    REFUSE(init_module),
    REFUSE(finit_module),
    REFUSE(delete_module),
    REFUSE(kexec_load),
#ifdef __NR_kexec_file_load
    REFUSE(kexec_file_load),
#endif
    REFUSE(reboot),
    REFUSE(bpf),
    REFUSE(perf_event_open),
    REFUSE(userfaultfd),
    REFUSE(io_uring_setup),
    REFUSE(io_uring_enter),
    REFUSE(io_uring_register),
    REFUSE(personality),
#ifndef SANITIZING // a sanitizer inspects the process from another one
    REFUSE(ptrace),
    // Threads may be created, but no processes. Last, because it loads another value.
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 3),
    LOAD(args[0]), // the lower half: all architectures above are little-endian
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
    FAIL(EPERM),
#endif
    ALLOW,
};

// A filter cannot see the flags of clone3; without it the C library uses clone. In a filter of its
// own, because it is not an attack: creating a thread must not be logged.
static const struct sock_filter no_clone3[] = {
#ifndef SANITIZING
    LOAD(nr),
    ONLY_IF(__NR_clone3),
    FAIL(ENOSYS),
#endif
    ALLOW,
};

static int install(const struct sock_filter *code, size_t count, unsigned flags)
{
    struct sock_fprog program = {(unsigned short)count, (struct sock_filter *)(uintptr_t)code};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0
               ? 0
               : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

// Forbidden calls are written to the audit log. Falls back to prctl(2) on kernels before 3.17 and
// in containers that block seccomp(2).
static int install_filter(void)
{
    return install(no_clone3, COUNT_OF(no_clone3), 0) == 0
               ? install(filter, COUNT_OF(filter), SECCOMP_FILTER_FLAG_LOG)
               : -1;
}

#else

static int install_filter(void)
{
    errno = ENOSYS; // not tested on this architecture
    return -1;
}

#endif

bool sandbox_enter(void)
{
    // Without no_new_privs, only privileged processes may install a filter.
    const bool is_sandboxed = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && install_filter() == 0;
    if (!is_sandboxed) {
        LOG_EVENT(LOG_LEVEL_WARNING, "serving without a filter of system calls",
                  LOG_TEXT("error", str_from(strerror(errno))));
    }
    return is_sandboxed;
}
