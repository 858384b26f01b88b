// SPDX-License-Identifier: MIT
// ctl_check_table: the part of the check that examines one table: existence, columns, indexes,
// grants.
#ifndef BKFLOW_CTL_CHECK_TABLE_H
#define BKFLOW_CTL_CHECK_TABLE_H

#include "ctl/report.h"
#include "ctl/schema.h"

// One database through two connections: the responder's, and one that sees everything. Without an
// administrator's account both are the responder's.
struct ctl_check_place {
    const char *section; // of the configuration
    const struct conf_database *conf;
    struct ctl_schema *responder;       // NULL: it cannot connect
    struct ctl_schema *structure;       // NULL: it cannot connect
    struct conf_database administrator; // how STRUCTURE connects, if by another account
    struct ctl_schema_server server;    // as the responder reaches it, or would
};

void ctl_check_table_run(const struct ctl_check_place *place, const struct ctl_tables_table *table,
                         struct ctl_report *report) NONNULL;

#endif
