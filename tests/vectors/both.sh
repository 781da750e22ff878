#!/bin/sh
# both.sh WHAT WIRE_VECTORS PYTHON...: our code on one side, reader.py on the other.
set -eu
cd "$(dirname "$0")"
what=$1
vectors=$2
shift 2

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

case $what in
    stable)
        # Committed bytes never change within one protocol version.
        "$vectors" emit >"$scratch/wire.txt"
        diff -u wire.txt "$scratch/wire.txt"
        ;;
    python_reads_c)
        "$vectors" emit >"$scratch/wire.txt"
        "$@" reader.py check "$scratch/wire.txt" wire.expect
        ;;
    c_reads_python)
        "$vectors" emit >"$scratch/wire.txt"
        "$@" reader.py make "$scratch/wire.txt" wire.expect >"$scratch/made.txt"
        "$vectors" dump "$scratch/made.txt" >"$scratch/dump.txt"
        "$@" reader.py same "$scratch/dump.txt" wire.expect
        ;;
    refused)
        "$vectors" refuse refused.txt
        "$@" reader.py refuse refused.txt
        ;;
    *)
        echo "both.sh: unknown '$what'" >&2
        exit 2
        ;;
esac
