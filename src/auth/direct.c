// SPDX-License-Identifier: MIT
#include "auth/direct_priv.h"

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

static enum auth_verdict refuse(struct error *err, enum error_kind kind, struct str subject,
                                const char *detail)
{
    (void)error_set_subject(err, kind, subject, "%s", detail);
    return AUTH_REFUSED;
}

static struct str find_missing(const struct credentials *credentials)
{
    if (credentials->app_code.len == 0) {
        return STR("bk_app_code");
    }
    if (credentials->secret.len == 0) {
        return STR("bk_app_secret");
    }
    return credentials->username.len == 0 ? STR("bk_username") : STR_ABSENT;
}

// A code that looks like another one must not reach a log, a terminal or the limiter.
// bkflow-statesctl adds no such code, so it is answered like any unknown one.
static enum auth_verdict check_all(const struct credentials *credentials, struct error *err)
{
    const struct str missing = find_missing(credentials);
    if (!str_is_absent(missing)) {
        return refuse(err, ERR_CREDENTIALS_MISSING, missing, "a credential is missing or empty");
    }
    return utf8_all_visible(credentials->app_code)
               ? AUTH_ACCEPTED
               : refuse(err, ERR_CREDENTIALS_WRONG, STR_ABSENT,
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
            return refuse(err, ERR_CREDENTIALS_FORMAT, STR_ABSENT, "a credential is not a string");
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

static enum auth_verdict read_query(const struct auth_context *context, struct str query,
                                    struct credentials *credentials, struct error *err)
{
    struct str name;
    struct str value;
    int next;
    while ((next = http_query_next(&query, context->arena, &name, &value, err)) == 1) {
        struct str *const member = member_of(credentials, name);
        if (member == NULL) {
            continue;
        }
        if (!context->conf->auth.query_credentials) {
            return refuse(err, ERR_WAY_IN_CLOSED, STR("credentials in the query string"),
                          "query_credentials = off");
        }
        if (!str_is_absent(*member)) {
            return refuse(err, ERR_QUERY_FORMAT, STR_ABSENT, "a credential is given twice");
        }
        *member = value;
    }
    if (next < 0) {
        return AUTH_REFUSED;
    }
    return has_any(credentials) ? check_all(credentials, err) : AUTH_ABSENT;
}

static enum auth_verdict read_credentials(const struct auth_context *context,
                                          const struct http_request *request,
                                          struct credentials *credentials, struct error *err)
{
    if (!str_is_absent(request->bkapi_authorization)) {
        return read_header(request->bkapi_authorization, context->arena, credentials, err);
    }
    return read_query(context, request->query, credentials, err);
}

enum auth_verdict auth_direct_read(const struct auth_context *context,
                                   const struct http_request *request,
                                   struct credentials *credentials, struct error *err)
{
    *credentials = (struct credentials){.kind = CREDENTIALS_DIRECT};
    const enum auth_verdict verdict = read_credentials(context, request, credentials, err);
    if (verdict == AUTH_ABSENT || context->conf->auth.direct) {
        return verdict;
    }
    return refuse(err, ERR_WAY_IN_CLOSED, STR("bk_app_code, bk_app_secret and bk_username"),
                  "direct = off");
}
