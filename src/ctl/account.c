// SPDX-License-Identifier: MIT
#include "ctl/account.h"

#include <errno.h>

int ctl_account_load(struct ctl *ctl)
{
    const char *const path = ctl->options.password_file;
    if (path == NULL) {
        return 0;
    }
    if (ctl_secret_load(&ctl->password, path) != 0) {
        return ctl_fault_set(&ctl->fault, CTL_FAILED, "--password-file: %s cannot be read: %s",
                             path, strerror(errno));
    }
    const struct str line = {ctl->password.bytes, ctl->password.len};
    const char *const mistake = conf_password_mistake(line);
    return mistake == NULL ? 0
                           : ctl_fault_set(&ctl->fault, CTL_FAILED,
                                           "--password-file: %s cannot be used: %s", path, mistake);
}

struct conf_database ctl_account_reach(const struct ctl *ctl, const struct conf_database *database)
{
    struct conf_database mine = *database;
    if (ctl->options.user != NULL) {
        // The password may be empty: the server authenticates by socket, or the option file has
        // one.
        mine.user = ctl->options.user;
        mine.password = ctl->password.bytes;
    }
    return mine;
}
