// SPDX-License-Identifier: MIT
#include "states/store_digests_priv.h"

#include "states/statements.h"

_Static_assert((int)STORE_DIGESTS_MAX == (int)STATEMENT_DIGEST_KEYS_MAX, "a call is one statement");

// The roots of one statement while their digests are read. The server groups rows by the column's
// collation, so the root_id of a group may be that of another row than the root's, and a group may
// have rows of other roots. A root that no group is named after therefore gets the digest of all
// groups it may be in: it changes more often than it has to, never less.
struct digest_rows {
    const struct str *roots;
    size_t count;
    struct store_digest *digests;
    size_t next;                // the root after the last one found: groups come in an order
    bool are_plain;             // no collation groups two of the roots
    struct store_digest all;    // groups
    struct store_digest others; // groups that are named after none of the roots
};

// Whether a root consists of letters and digits that each collation tells apart. BKFlow's do: n and
// 32 hexadecimal digits.
static bool is_plain(struct str root)
{
    for (size_t i = 0; i < root.len; i++) {
        if (strchr("0123456789abcdefn", root.ptr[i]) == NULL || root.ptr[i] == '\0') {
            return false;
        }
    }
    return true;
}

static void combine(struct store_digest *digest, const struct store_digest *with)
{
    digest->has_rows = digest->has_rows || with->has_rows;
    digest->a ^= with->a;
    digest->b += with->b;
}

static struct store_digest *digest_of_root(struct digest_rows *rows, struct str root)
{
    for (size_t i = 0; i < rows->count; i++) {
        const size_t at = (rows->next + i) % rows->count;
        if (str_equal(rows->roots[at], root)) {
            rows->next = at + 1;
            return &rows->digests[at];
        }
    }
    return &rows->others;
}

static void take_digest(struct digest_rows *rows, const struct db_value *values)
{
    const struct store_digest digest = {.has_rows = true,
                                        .a = (uint64_t)values[DIGEST_BITS].number,
                                        .b = (uint64_t)values[DIGEST_ROWS].number};
    if (digest.b == 0) {
        return; // the only group, of no rows
    }
    combine(digest_of_root(rows, values[DIGEST_ROOT].text), &digest);
    combine(&rows->all, &digest);
}

static void take_rest(struct digest_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (!rows->digests[i].has_rows) {
            rows->digests[i] = rows->are_plain ? rows->others : rows->all;
        }
    }
}

static int fetch_digests(struct db *db, struct digest_rows *rows, struct error *err)
{
    const struct db_value *values;
    int fetched;
    while ((fetched = db_fetch(db, &values, err)) == 1) {
        take_digest(rows, values);
    }
    take_rest(rows);
    return fetched;
}

static void put_roots(const struct digest_rows *rows, struct db_parameter *parameters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        parameters[i] = DB_PARAMETER_TEXT(rows->roots[i < rows->count ? i : rows->count - 1]);
    }
}

static int find_digests_once(struct db *db, struct digest_rows *rows, struct error *err)
{
    const size_t size = statements_digest_size(rows->count);
    struct db_parameter parameters[STATEMENT_DIGEST_KEYS_MAX];
    put_roots(rows, parameters, statements_digest_keys(size));
    memset(rows->digests, 0, rows->count * sizeof *rows->digests);
    if (db_query(db, statements_slot(STATEMENT_DIGESTS, size),
                 statements_get(STATEMENT_DIGESTS, size), parameters, err) != 0) {
        return -1;
    }
    const int outcome = fetch_digests(db, rows, err);
    db_finish(db);
    return outcome;
}

int store_digests_find(struct db *db, const struct str roots[], size_t count,
                       struct store_digest digests[], struct error *err)
{
    struct digest_rows start = {
        .roots = roots, .count = count, .digests = digests, .are_plain = true};
    for (size_t i = 0; i < count; i++) {
        start.are_plain = start.are_plain && is_plain(roots[i]);
    }
    struct digest_rows rows = start;
    const int outcome = find_digests_once(db, &rows, err);
    if (outcome == 0 || !db_may_repeat(db)) {
        return outcome;
    }
    rows = start;
    return find_digests_once(db, &rows, err);
}
