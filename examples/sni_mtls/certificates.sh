#!/bin/sh
# Certificates for this example, all of one authority, in tls/ beside this script. Needs openssl.
#
#   ./certificates.sh                    everything: authority, both clusters, the client `app`, an empty revocation list
#   ./certificates.sh server CLUSTER     a new key and certificate for a virtual cluster; again: renews it
#   ./certificates.sh client NAME        a new key and certificate for a client
#   ./certificates.sh revoke NAME        takes a client's certificate back
#
# Every file is written elsewhere and moved to its place, so that nobody ever reads half of one.
set -eu
umask 077

domain=kafka.test
tls=$(cd "$(dirname "$0")" && pwd)/tls
authority=$tls/authority
new=$tls/new
trap 'rm -rf "$new"' EXIT
mkdir -p "$authority" "$new"

# run COMMAND…: openssl says a lot; it is told only where something goes wrong.
run() {
    "$@" >"$new/log" 2>&1 || { cat "$new/log" >&2; exit 1; }
}

# publish NAME…: what is no secret may be read by everybody. A key goes first and its certificate right behind it; in
# the moment between the two kproxy keeps what it has.
publish() {
    for name; do
        case $name in *.crt | *.crl) chmod 644 "$new/$name" ;; esac
        mv "$new/$name" "$tls/$name"
    done
}

make_authority() {
    cat >"$authority/openssl.cnf" <<END
[req]
distinguished_name = subject
x509_extensions = authority
[subject]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[ca]
default_ca = this
[this]
database = $authority/index
serial = $authority/serial
crlnumber = $authority/crlnumber
crl_extensions = revocations
new_certs_dir = $authority
certificate = $tls/ca.crt
private_key = $authority/ca.key
default_md = sha256
default_days = 90
default_crl_days = 30
unique_subject = no
policy = subjects
[revocations]
authorityKeyIdentifier = keyid
[subjects]
commonName = supplied
END
    : >"$authority/index"
    # Lists are numbered: version 2 of RFC 5280, the only one kproxy takes.
    echo 01 >"$authority/crlnumber"
    run openssl req -x509 -config "$authority/openssl.cnf" -subj "/CN=Example authority" -days 3650 \
        -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$authority/ca.key" -out "$new/ca.crt"
    publish ca.crt
}

# issue NAME SUBJECT EXTENSIONS: NAME.key and NAME.crt.
issue() {
    printf '%b\n' "$3" >"$new/extensions"
    run openssl req -new -config "$authority/openssl.cnf" -subj "/CN=$2" \
        -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$new/$1.key" -out "$new/request"
    run openssl ca -batch -notext -create_serial -config "$authority/openssl.cnf" -extfile "$new/extensions" \
        -in "$new/request" -out "$new/$1.crt"
}

# A wildcard stands for one label: the one for nodes does not cover the bootstrap name, which has none.
server() {
    host=$1.$domain
    issue "$1" "$host" \
        "keyUsage = digitalSignature\nextendedKeyUsage = serverAuth\nsubjectAltName = DNS:$host, DNS:*.$host"
    publish "$1.key" "$1.crt"
}

client() {
    issue "$1" "$1" "keyUsage = digitalSignature\nextendedKeyUsage = clientAuth"
    # Java wants both in one file.
    cat "$new/$1.key" "$new/$1.crt" >"$new/$1.pem"
    publish "$1.key" "$1.crt" "$1.pem"
}

revocations() {
    run openssl ca -gencrl -config "$authority/openssl.cnf" -out "$new/revoked.crl"
    publish revoked.crl
}

case ${1-} in
    '')
        make_authority
        server orders
        server payments
        client app
        revocations
        echo "Made $tls: ca.crt, orders, payments, app, revoked.crl."
        ;;
    server | client)
        "$1" "${2:?whose?}"
        echo "Made $tls/$2.key and $2.crt."
        ;;
    revoke)
        run openssl ca -revoke "$tls/${2:?whose?}.crt" -config "$authority/openssl.cnf"
        revocations
        echo "Revoked $tls/$2.crt in revoked.crl."
        ;;
    *)
        sed -n '2,/^set/{/^#/p;}' "$0" >&2
        exit 2
        ;;
esac
