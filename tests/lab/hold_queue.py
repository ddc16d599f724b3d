#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hold_queue.py NUMBER: binds a netfilter queue and keeps it until it is killed, as another program would."""
import signal
import socket
import struct
import sys

NETLINK_NETFILTER, QUEUE_CONFIG, REQUEST_ACK, COMMAND, BIND = 12, 3 << 8 | 2, 5, 1, 1
own = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
own.bind((0, 0))
attribute = struct.pack("HHBBH", 8, COMMAND, BIND, 0, 0)
body = struct.pack("!BBH", 0, 0, int(sys.argv[1])) + attribute
own.send(struct.pack("IHHII", 16 + len(body), QUEUE_CONFIG, REQUEST_ACK, 1, 0) + body)
error = struct.unpack_from("i", own.recv(4096), 16)[0]
if error:
    sys.exit("errno %d" % -error)
print("bound", flush=True)
signal.pause()
