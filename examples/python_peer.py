"""The Python half of python_peer.rs: an ordinary multiprocessing.connection client."""

import sys
from multiprocessing.connection import Client

with Client(sys.argv[1], authkey=b"secret password") as connection:
    while True:
        try:
            message = connection.recv_bytes()
        except EOFError:
            break
        connection.send_bytes(message.decode().title().encode())
