"""The Python half of tests/connection_python.rs: connection_peer.py ROLE ADDRESS KEY STYLE

ROLE     client or listener
ADDRESS  a path, @name for an abstract name, or host:port
KEY      text, or - for none
STYLE    own: this Python's challenge; old: that of 3.11 and before; sha256, md5: that of 3.12 and later, with that digest

Prints "at ADDRESS" when it listens and "connected" when it is, then sends back what it receives until the end.
Exit code 3: AuthenticationError; 4: the end came where an answer was to come;
5: something else did.
"""

import hmac
import multiprocessing as mp
import multiprocessing.connection as mpc
import os
import sys

role, address, key, style = sys.argv[1:]
key = None if key == "-" else key.encode()
if address.startswith("@"):
    address = "\0" + address[1:]
elif not address.startswith("/"):
    host, port = address.rsplit(":", 1)
    address = (host, int(port))


def parts(message):
    """The digest that a challenge or an answer names, and what follows: 3.12's _get_digest_name_and_payload."""
    if len(message) in (16, 20):
        return "md5", message
    if message.startswith(b"{") and b"}" in message[:12]:
        name, payload = message[1:].split(b"}", 1)
        if name in (b"md5", b"sha256", b"sha384", b"sha3_256", b"sha3_384"):
            return name.decode(), payload
    raise mp.AuthenticationError("unsupported digest")


def deliver(connection, authkey):
    if style == "old":
        message = os.urandom(20)
    else:
        message = b"{%s}%s" % (style.encode(), os.urandom(40))
    connection.send_bytes(b"#CHALLENGE#" + message)
    name, proof = parts(connection.recv_bytes(256))
    if style == "old":
        name = "md5"
    if hmac.compare_digest(proof, hmac.new(authkey, message, name).digest()):
        connection.send_bytes(b"#WELCOME#")
    else:
        connection.send_bytes(b"#FAILURE#")
        raise mp.AuthenticationError("digest received was wrong")


def answer(connection, authkey):
    message = connection.recv_bytes(256)
    assert message.startswith(b"#CHALLENGE#"), message
    message = message[len(b"#CHALLENGE#"):]
    if style == "old":
        connection.send_bytes(hmac.new(authkey, message, "md5").digest())
    else:
        name, _ = parts(message)
        proof = hmac.new(authkey, message, name).digest()
        if len(message) != 20:
            proof = b"{%s}%s" % (name.encode(), proof)
        connection.send_bytes(proof)
    if connection.recv_bytes(256) != b"#WELCOME#":
        raise mp.AuthenticationError("digest sent was rejected")


if style != "own":
    mpc.deliver_challenge, mpc.answer_challenge = deliver, answer

try:
    if role == "client":
        connection = mpc.Client(address, authkey=key)
    else:
        listener = mpc.Listener(address, authkey=key)
        at = listener.address
        print("at", "%s:%s" % at if isinstance(at, tuple) else at, flush=True)
        connection = listener.accept()
except mp.AuthenticationError:
    sys.exit(3)
except (EOFError, OSError):
    sys.exit(4)
except AssertionError:  # 3.11's word for a challenge that is none
    sys.exit(5)
print("connected", flush=True)
while True:
    try:
        connection.send_bytes(connection.recv_bytes())
    except (EOFError, OSError):
        break
