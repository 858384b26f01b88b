# SPDX-License-Identifier: MIT
"""A gateway's caller, who is in no table of ours, and what its tokens say."""

import time

import support
from lab import jwt

APP, USER = "gateway_app", "gateway_user"
GATEWAY = "main"  # the kid that lab.jwt writes unless told otherwise
REFUSED = 40104


def claims(app_code=APP, username=USER, **others):
    """Good claims; members are changed by name, None takes one away."""
    now = time.time()
    said = {"iss": "gateway", "exp": now + 86400, "nbf": now - 60, "iat": now,
            "app": {"app_code": app_code, "verified": True}, "user": {"username": username, "verified": True}}
    return {name: value for name, value in (said | others).items() if value is not None}


def header(algorithm="RS512", **others):
    return {"typ": "JWT", "alg": algorithm, "kid": GATEWAY} | others


def token(key, header_content, claims_content, algorithm="RS512"):
    """Any header and claims, text and bytes as they are, signed by ALGORITHM whatever they say."""
    parts = [jwt.encoded(part.encode() if isinstance(part, str) else part) for part in (header_content, claims_content)]
    return key.signed(b".".join(parts), algorithm)


BKFLOW = "bk-flow-engine"  # BlueKing's gateway writes the name of the called gateway


def bluekings_token(key, app_code=APP, username=USER, spelling="", **others):
    """A token as BlueKing's gateway makes them; SPELLING "bk_" is that of later versions."""
    now = int(time.time())
    said = {
        "iss": "APIGW", "exp": now + 600, "nbf": now - 300,
        "app": {"version": 1, f"{spelling}app_code": app_code, "verified": True, "valid_error_message": ""},
        "user": {"version": 1, "source_type": "bk_token", f"{spelling}username": username, "verified": True,
                 "valid_error_message": ""},
    }
    return key.token(said | others, kid=BKFLOW, iat=now)


def asking(task_id, bkapi_jwt, credentials=None, **others):
    """Variables of a request with a token, alone unless there are credentials."""
    return support.states(task_id, {"X-Bkapi-JWT": bkapi_jwt}, credentials=credentials or {}, **others)


def assert_accepted(responder, task_id, bkapi_jwt):
    support.success(responder.ask(asking(task_id, bkapi_jwt)))


def assert_refused(responder, task_id, bkapi_jwt):
    """As a token alone, and also where good direct credentials stand beside it."""
    for credentials in ({}, support.GOOD):
        response = responder.ask(asking(task_id, bkapi_jwt, credentials))
        message = support.assert_error(response, 401, REFUSED)
        assert message == "X-Bkapi-JWT is not a valid gateway token", "what is wrong with it is for the log alone"
