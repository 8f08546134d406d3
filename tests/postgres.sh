#!/usr/bin/env bash
# A private, throw-away PostgreSQL for the tests: listens on a free loopback port, lives in one directory.
#
#   tests/postgres.sh run COMMAND...   run COMMAND with BROKER_TEST_POSTGRES set, then remove the cluster
#   tests/postgres.sh start [DIR]      make and start a cluster in DIR, print its URL; one left over there goes first
#   tests/postgres.sh again [DIR]      start the cluster in DIR again, on its port, after it was killed
#   tests/postgres.sh stop [DIR]       stop the cluster in DIR and remove it
#
# DIR is one directory a user under the system's directory for temporary files unless it is given.
# Needs Debian's "postgresql" package (or initdb and pg_ctl on PATH). As root it uses the "postgres" user, because
# PostgreSQL refuses to run as root.
set -euo pipefail

usage() {
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

find_programs() {
    if command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then
        bin=$(dirname "$(command -v initdb)")
        return
    fi
    bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
    if [ -z "$bin" ] || [ ! -x "$bin/initdb" ]; then
        echo "postgres.sh: no PostgreSQL server found: apt-get install postgresql" >&2
        exit 1
    fi
}

as_owner() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start() {
    local dir=$1 password port
    if [ -d "$dir/data" ]; then
        stop "$dir"
    fi
    mkdir -m 0700 "$dir"
    password=$(python3 -c 'import secrets; print(secrets.token_hex(16))')
    (umask 077 && printf '%s\n' "$password" >"$dir/password")
    if [ "$(id -u)" -eq 0 ]; then
        chown -R postgres: "$dir"
    fi
    # md5: the tests make thousands of connections, and SCRAM costs both sides milliseconds of the processor for each.
    as_owner "$bin/initdb" --pgdata="$dir/data" --username=broker --pwfile="$dir/password" \
        --auth=md5 --encoding=UTF8 --locale=C >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 1; }
    # Another process may take the port between the probe and the start, so a few are tried.
    # fsync: the tests kill brokers, never the server, and make and drop a database each.
    for _ in 1 2 3 4 5; do
        port=$(free_port)
        if as_owner "$bin/pg_ctl" start --wait --silent --pgdata="$dir/data" --log="$dir/data/server.log" \
            --options="-c fsync=off -c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories='$dir'" >/dev/null; then
            echo "postgresql+psycopg://broker:$password@127.0.0.1:$port/postgres"
            return
        fi
    done
    cat "$dir/data/server.log" >&2
    exit 1
}

again() {
    # "restart" starts a server that does not run with the options of the last time.
    as_owner "$bin/pg_ctl" restart --wait --silent --pgdata="$1/data" --log="$1/data/server.log" >/dev/null
}

stop() {
    local dir=$1
    if [ ! -d "$dir/data" ]; then
        echo "postgres.sh: $dir holds no cluster" >&2
        exit 1
    fi
    as_owner "$bin/pg_ctl" stop --silent --mode=immediate --pgdata="$dir/data" >/dev/null || true
    rm -rf "$dir"
}

run() {
    local parent dir
    parent=$(mktemp -d)
    chmod 0711 "$parent"
    dir=$parent/cluster
    # shellcheck disable=SC2064  # the paths are fixed now, on purpose
    trap "stop '$dir'; rm -rf '$parent'" EXIT
    BROKER_TEST_POSTGRES=$(start "$dir")
    export BROKER_TEST_POSTGRES
    "$@"
}

[ $# -ge 1 ] || usage
find_programs
default=${TMPDIR:-/tmp}/broker-test-postgres-$(id -u)
case $1 in
    run) [ $# -ge 2 ] || usage; shift; run "$@" ;;
    start) start "${2:-$default}" ;;
    again) again "${2:-$default}" ;;
    stop) stop "${2:-$default}" ;;
    *) usage ;;
esac
