// SPDX-License-Identifier: MIT
#include "auth/direct.h"

#include "base/json_members.h"
#include "base/utf8.h"

// ---- which member of a credentials a name means ----

static struct str *member_of(struct credentials *credentials, struct str name)
{
    if (str_equal(name, STR("bk_app_code"))) {
        return &credentials->app_code;
    }
    if (str_equal(name, STR("bk_app_secret"))) {
        return &credentials->secret;
    }
    return str_equal(name, STR("bk_username")) ? &credentials->username : NULL;
}

static enum auth_verdict refuse(struct error *err, enum error_kind kind, const char *detail)
{
    error_record(err, kind, "%s", detail);
    return AUTH_REFUSED;
}

static enum auth_verdict require_all(const struct credentials *credentials, struct error *err)
{
    if (credentials->app_code.len == 0) {
        err->subject = STR("bk_app_code");
    } else if (credentials->secret.len == 0) {
        err->subject = STR("bk_app_secret");
    } else if (credentials->username.len == 0) {
        err->subject = STR("bk_username");
    } else {
        return AUTH_ACCEPTED;
    }
    return refuse(err, ERR_CREDENTIALS_MISSING, "a credential is missing or empty");
}

// A code that looks like another must not reach a log, a terminal or the limiter: bkflow-statesctl
// adds none, so it is answered as any unknown one.
static enum auth_verdict check_all(const struct credentials *credentials, struct error *err)
{
    if (require_all(credentials, err) == AUTH_REFUSED) {
        return AUTH_REFUSED;
    }
    return utf8_all_visible(credentials->app_code)
               ? AUTH_ACCEPTED
               : refuse(err, ERR_CREDENTIALS_WRONG,
                        "bk_app_code has a character that cannot be seen");
}

// ---- the header ----

static enum auth_verdict read_header(struct str header, struct arena *arena,
                                     struct credentials *credentials, struct error *err)
{
    struct json_members members;
    if (json_members_read(header, "X-Bkapi-Authorization", ERR_CREDENTIALS_FORMAT, arena, &members,
                          err) != 0) {
        return AUTH_REFUSED;
    }
    for (const struct json_member *one = members.first; one != NULL; one = one->next) {
        struct str *const credential = member_of(credentials, one->name);
        if (credential == NULL) {
            continue;
        }
        if (str_is_absent(one->text)) {
            return refuse(err, ERR_CREDENTIALS_FORMAT, "a credential is not a string");
        }
        *credential = one->text;
    }
    return check_all(credentials, err);
}

// ---- the query string ----

static bool has_any(const struct credentials *credentials)
{
    return !str_is_absent(credentials->app_code) || !str_is_absent(credentials->secret) ||
           !str_is_absent(credentials->username);
}

static enum auth_verdict read_query(const struct conf *conf, struct str query, struct arena *arena,
                                    struct credentials *credentials, struct error *err)
{
    struct str name;
    struct str value;
    int next;
    while ((next = http_query_next(&query, arena, &name, &value, err)) == 1) {
        struct str *const member = member_of(credentials, name);
        if (member == NULL) {
            continue;
        }
        if (!conf->auth.query_credentials) {
            err->subject = STR("credentials in the query string");
            return refuse(err, ERR_WAY_IN_CLOSED, "query_credentials = off");
        }
        if (!str_is_absent(*member)) {
            return refuse(err, ERR_QUERY_FORMAT, "a credential is given twice");
        }
        *member = value;
    }
    if (next < 0) {
        return AUTH_REFUSED;
    }
    return has_any(credentials) ? check_all(credentials, err) : AUTH_ABSENT;
}

static enum auth_verdict read_credentials(const struct conf *conf,
                                          const struct http_request *request, struct arena *arena,
                                          struct credentials *credentials, struct error *err)
{
    if (!str_is_absent(request->bkapi_authorization)) {
        return read_header(request->bkapi_authorization, arena, credentials, err);
    }
    return read_query(conf, request->query, arena, credentials, err);
}

enum auth_verdict auth_direct_read(const struct conf *conf, const struct http_request *request,
                                   struct arena *arena, struct credentials *credentials,
                                   struct error *err)
{
    *credentials = (struct credentials){.way = CREDENTIALS_DIRECT};
    const enum auth_verdict verdict = read_credentials(conf, request, arena, credentials, err);
    if (verdict == AUTH_ABSENT || conf->auth.direct) {
        return verdict;
    }
    err->subject = STR("bk_app_code, bk_app_secret and bk_username");
    return refuse(err, ERR_WAY_IN_CLOSED, "direct = off");
}
