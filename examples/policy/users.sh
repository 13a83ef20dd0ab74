#!/bin/sh
# Makes what the set-up keeps secret, for you alone to read: users.txt with the users alice and bob, and kafka.password
# with the password by which kproxy logs in to Kafka. KPROXY names the program, if it is not in the path.
set -eu
cd "$(dirname "$0")"
umask 077

: >users.txt
for user in alice bob; do
    # `kproxy credential` reads the password from its standard input, so that no list of processes shows it.
    echo "$user-secret" | "${KPROXY:-kproxy}" credential "$user" --mechanism SCRAM-SHA-512 >>users.txt
done

od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >kafka.password
