// SPDX-License-Identifier: MIT
// The system call filter: each forbidden call is made in a sandboxed child process, and everything
// that the program and its libraries need still works there.
#include "sandbox.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_CONFINED = 254, DIED = 255 };

// Returns the result of a call in a child process: 0, its errno, or one of the above.
static int outcome(bool sandboxed, int (*act)(const long *), const long *arguments)
{
    const pid_t child = fork();
    if (child == 0) {
        if (sandboxed && !sandbox_enter()) {
            _exit(NOT_CONFINED);
        }
        errno = 0;
        _exit(act(arguments) < 0 ? errno : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : DIED;
}

static int call(const long *a)
{
    const pid_t self = getpid();
    const long result = syscall(a[0], a[1], a[2], a[3], a[4], a[5]);
    if (getpid() != self) {
        _exit(0); // the child of a fork that was allowed
    }
    return result < 0 ? -1 : 0;
}

struct row {
    const char *name;
    long arguments[6];  // number first; harmless without the filter
    bool is_everybodys; // allowed for ordinary users without the filter
};

static const struct row refused[] = {
    {"execve", {SYS_execve}, true},
    {"execveat", {SYS_execveat, -1}, true},
    {"setuid", {SYS_setuid, -1}, true},
    {"setgid", {SYS_setgid, -1}, true},
    {"setreuid", {SYS_setreuid, -1, -1}, true},
    {"setregid", {SYS_setregid, -1, -1}, true},
    {"setresuid", {SYS_setresuid, -1, -1, -1}, true},
    {"setresgid", {SYS_setresgid, -1, -1, -1}, true},
    {"setfsuid", {SYS_setfsuid, -1}, true},
    {"setfsgid", {SYS_setfsgid, -1}, true},
    {"setgroups", {SYS_setgroups, -1, 0}, false},
#ifdef SYS_setuid32
    {"setuid32", {SYS_setuid32, -1}, true},
    {"setgid32", {SYS_setgid32, -1}, true},
    {"setreuid32", {SYS_setreuid32, -1, -1}, true},
    {"setregid32", {SYS_setregid32, -1, -1}, true},
    {"setresuid32", {SYS_setresuid32, -1, -1, -1}, true},
    {"setresgid32", {SYS_setresgid32, -1, -1, -1}, true},
    {"setfsuid32", {SYS_setfsuid32, -1}, true},
    {"setfsgid32", {SYS_setfsgid32, -1}, true},
    {"setgroups32", {SYS_setgroups32, -1, 0}, false},
#endif
    {"capset", {SYS_capset, 0, 0}, true},
    {"add_key", {SYS_add_key, 0, 0, 0, 0, 0}, false},
    {"request_key", {SYS_request_key, 0, 0, 0, 0}, false},
    {"keyctl", {SYS_keyctl, -1}, false},
    {"pidfd_open", {SYS_pidfd_open, -1, -1}, false},
    {"pidfd_getfd", {SYS_pidfd_getfd, -1, -1, -1}, false},
    {"process_madvise", {SYS_process_madvise, -1, 0, 0, 0, -1}, false},
    {"process_mrelease", {448, -1, -1}, false},
    {"kcmp", {SYS_kcmp, -1, -1, 0, 0, 0}, false},
    {"move_pages", {SYS_move_pages, -1, 0, 0, 0, 0}, false},
    {"migrate_pages", {SYS_migrate_pages, -1, 0, 0, 0}, false},
    {"process_vm_readv", {SYS_process_vm_readv}, false},
    {"process_vm_writev", {SYS_process_vm_writev}, false},
    {"unshare", {SYS_unshare, 0}, false},
    {"setns", {SYS_setns, -1}, false},
    {"chroot", {SYS_chroot, 0}, false},
    {"mount", {SYS_mount, 0, 0, 0, 0, 0}, false},
    {"umount2", {SYS_umount2, 0}, false},
#ifdef SYS_umount
    {"umount", {SYS_umount, 0}, false},
#endif
    {"pivot_root", {SYS_pivot_root, 0, 0}, false},
    {"mount_setattr", {442, -1, 0, 0, 0, 0}, false},
    {"open_tree", {SYS_open_tree, -1, 0, 0}, false},
    {"open_tree_attr", {467, -1, 0, 0, 0, 0}, false},
    {"move_mount", {SYS_move_mount, -1, 0, -1, 0, 0}, false},
    {"fsopen", {SYS_fsopen, 0, 0}, false},
    {"fspick", {SYS_fspick, -1, 0, 0}, false},
    {"fsconfig", {SYS_fsconfig, -1, -1, 0, 0, 0}, false},
    {"fsmount", {SYS_fsmount, -1, 0, 0}, false},
    {"name_to_handle_at", {SYS_name_to_handle_at, -1, 0, 0, 0, -1}, false},
    {"open_by_handle_at", {SYS_open_by_handle_at, -1, 0, 0}, false},
    {"fanotify_init", {SYS_fanotify_init, -1, 0}, false},
    {"mknodat", {SYS_mknodat, -1, 0, 0, 0}, false},
    {"swapon", {SYS_swapon, 0, 0}, false},
    {"swapoff", {SYS_swapoff, 0}, false},
    {"quotactl", {SYS_quotactl, -1, 0, 0, 0}, false},
    {"quotactl_fd", {443, -1, -1, 0, 0}, false},
    {"acct", {SYS_acct, 1}, false},
    {"sethostname", {SYS_sethostname, 0, -1}, false},
    {"setdomainname", {SYS_setdomainname, 0, -1}, false},
    {"settimeofday", {SYS_settimeofday, 1, 1}, false},
    {"clock_settime", {SYS_clock_settime, -1, 0}, false},
    {"clock_adjtime", {SYS_clock_adjtime, -1, 0}, false},
    {"adjtimex", {SYS_adjtimex, 0}, false},
#ifdef SYS_clock_settime64
    {"clock_settime64", {SYS_clock_settime64, -1, 0}, false},
    {"clock_adjtime64", {SYS_clock_adjtime64, -1, 0}, false},
#endif
#ifdef SYS_stime
    {"stime", {SYS_stime, 1}, false},
#endif
    {"syslog", {SYS_syslog, -1, 0, 0}, false},
#ifdef SYS_iopl
    {"iopl", {SYS_iopl, -1}, false},
    {"ioperm", {SYS_ioperm, -1, -1, 0}, false},
    {"modify_ldt", {SYS_modify_ldt, -1, 0, 0}, false},
#endif
#ifdef SYS_vm86
    {"vm86", {SYS_vm86, -1, 0}, false},
    {"vm86old", {SYS_vm86old, 0}, false},
#endif
    {"init_module", {SYS_init_module, 0}, false},
    {"finit_module", {SYS_finit_module, -1, 0, 0}, false},
    {"delete_module", {SYS_delete_module, 0, 0}, false},
    {"kexec_load", {SYS_kexec_load, 0, 0, 0, -1}, false},
#ifdef SYS_kexec_file_load
    {"kexec_file_load", {SYS_kexec_file_load, -1, -1, 0, 0, -1}, false},
#endif
    {"reboot", {SYS_reboot, 0}, false},
    {"bpf", {SYS_bpf, -1}, false},
    {"perf_event_open", {SYS_perf_event_open, 0}, false},
    {"userfaultfd", {SYS_userfaultfd, -1}, false},
    {"io_uring_setup", {SYS_io_uring_setup, 0, 0}, false},
    {"io_uring_enter", {SYS_io_uring_enter, -1, 0, 0, 0, 0}, false},
    {"io_uring_register", {SYS_io_uring_register, -1, 0, 0, 0}, false},
    {"personality", {SYS_personality, 0xffffffff}, false},
#ifndef SANITIZING
    {"ptrace", {SYS_ptrace, 0 /* PTRACE_TRACEME */}, true},
    {"clone as fork does", {SYS_clone, SIGCHLD}, true},
#ifdef SYS_fork
    {"fork", {SYS_fork}, true},
#endif
#endif
};

static void unneeded_calls_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        check_number(refused[i].name, outcome(true, call, refused[i].arguments), EPERM);
    }
}

// Shows that the filter refuses them, not a lack of privileges.
static void they_are_not_refused_without_the_filter(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        if (refused[i].is_everybodys) {
            check(refused[i].name, outcome(false, call, refused[i].arguments) != EPERM);
        }
    }
}

#ifndef SANITIZING
// A filter cannot see its flags. The C library then uses clone for threads.
static void clone3_is_reported_as_unknown(void **state)
{
    (void)state;
    static const long clone3[6] = {SYS_clone3};
    assert_int_not_equal(outcome(false, call, clone3), ENOSYS);
    assert_int_equal(outcome(true, call, clone3), ENOSYS);
}
#endif

#ifdef __x86_64__
static void calls_with_other_numbers_are_refused(void **state)
{
    (void)state;
    static const long x32_getpid[6] = {0x40000000 | SYS_getpid};
    assert_int_equal(outcome(true, call, x32_getpid), EPERM);
}
#endif

static void *write_one(void *fd)
{
    return write(*(const int *)fd, "x", 1) == 1 ? fd : NULL;
}

// A thread, names, sockets, files, mappings, signals: what the program and its libraries do.
static int work_on(const long *unused)
{
    (void)unused;
    int ends[2];
    char byte;
    pthread_t thread;
    void *result = NULL;
    struct addrinfo *found = NULL;
    const bool has_thread =
        pipe(ends) == 0 && pthread_create(&thread, NULL, write_one, &ends[1]) == 0 &&
        pthread_join(thread, &result) == 0 && result != NULL && read(ends[0], &byte, 1) == 1;
    const bool has_names = getaddrinfo("127.0.0.1", "80", NULL, &found) == 0;
    if (has_names) {
        freeaddrinfo(found);
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    const int file = open("/dev/null", O_WRONLY | O_CLOEXEC);
    void *const memory =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool works = has_thread && has_names && fd >= 0 && file >= 0 && memory != MAP_FAILED &&
                       kill(getpid(), 0) == 0;
    errno = works ? 0 : EIO;
    return works ? 0 : -1;
}

static void everything_the_program_does_still_works(void **state)
{
    (void)state;
    assert_int_equal(outcome(true, work_on, NULL), 0);
}

static int gain_privileges(const long *unused)
{
    (void)unused;
    errno = EPERM;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? -1 : 0;
}

static void privileges_cannot_be_gained(void **state)
{
    (void)state;
    assert_int_equal(outcome(true, gain_privileges, NULL), EPERM);
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0) {
        assert_int_equal(outcome(false, gain_privileges, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unneeded_calls_are_refused),
        cmocka_unit_test(they_are_not_refused_without_the_filter),
#ifndef SANITIZING
        cmocka_unit_test(clone3_is_reported_as_unknown),
#endif
#ifdef __x86_64__
        cmocka_unit_test(calls_with_other_numbers_are_refused),
#endif
        cmocka_unit_test(everything_the_program_does_still_works),
        cmocka_unit_test(privileges_cannot_be_gained),
    };
    return cmocka_run_group_tests_name("confine", tests, NULL, NULL);
}
