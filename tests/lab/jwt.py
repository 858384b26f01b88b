# SPDX-License-Identifier: MIT
"""Signing tokens as an API gateway does, and as a forger would. The keys and signatures are openssl's."""

import base64
import hashlib
import hmac
import json
import subprocess

CURVES = {"ES256": ("P-256", 32), "ES384": ("P-384", 48), "ES512": ("P-521", 66)}


class Key:
    """A private key in the scratch folder, and the public key's file for the configuration."""

    def __init__(self, scratch, kind="RSA-2048"):
        self.private_path = scratch.path("private", ".pem")
        self.public_path = scratch.path("public", ".pem")
        algorithm, _dash, size = kind.partition("-")
        option = f"rsa_keygen_bits:{size}" if algorithm == "RSA" else f"ec_paramgen_curve:{kind}"
        _openssl("genpkey", "-algorithm", "RSA" if algorithm == "RSA" else "EC", "-pkeyopt", option,
                 "-out", self.private_path)
        _openssl("pkey", "-in", self.private_path, "-pubout", "-out", self.public_path)

    @property
    def public_pem(self):
        return self.public_path.read_bytes()

    def token(self, claims, algorithm="RS512", **header):
        """A whole token; members of the header are changed by name, None takes one away."""
        return self.signed(encoded_header(algorithm, **header) + b"." + encoded(claims), algorithm)

    def signed(self, signed_part, algorithm):
        digest = f"-sha{algorithm[2:]}"
        signature = _openssl("dgst", digest, "-sign", self.private_path, stdin=signed_part)
        if algorithm in CURVES:
            signature = _fixed_size(signature, CURVES[algorithm][1])
        return (signed_part + b"." + base64url(signature)).decode()


def encoded_header(algorithm, **changes):
    members = {"alg": algorithm, "typ": "JWT", "kid": "main"} | changes
    return encoded({name: value for name, value in members.items() if value is not None})


def encoded(value):
    """JSON text from a value, or bytes as they are."""
    return base64url(value if isinstance(value, bytes) else json.dumps(value).encode())


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def hmac_token(claims, secret, algorithm="HS512", **header):
    """The forgery that takes a public key for a shared secret."""
    signed_part = encoded_header(algorithm, **header) + b"." + encoded(claims)
    signature = hmac.new(secret, signed_part, getattr(hashlib, f"sha{algorithm[2:]}")).digest()
    return (signed_part + b"." + base64url(signature)).decode()


def unsigned_token(claims, algorithm="none", **header):
    return (encoded_header(algorithm, **header) + b"." + encoded(claims) + b".").decode()


def _fixed_size(der, size):
    """An ECDSA signature as JWT wants it: two numbers of fixed size instead of DER's SEQUENCE."""
    at = 3 if der[1] == 0x81 else 2
    numbers = []
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + length], "big").to_bytes(size, "big"))
        at += 2 + length
    return b"".join(numbers)


def _openssl(*arguments, stdin=b""):
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.decode(errors='replace')}")
    return done.stdout
