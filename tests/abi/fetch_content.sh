#!/bin/sh
# fetch_content.sh SOURCE_DIR: builds the library inside another project, as FetchContent does.
set -eu
source=$1
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Debug: what is tried is the build, and this one is the quickest.
cmake -S "$here/embedder" -B "$scratch/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DFASTNET_SOURCE="$source" >"$scratch/log" 2>&1 || {
    cat "$scratch/log"
    exit 1
}
cmake --build "$scratch/build" --target user_of_fastnet user_of_fastnet_static -- --quiet
"$scratch/build/user_of_fastnet"
"$scratch/build/user_of_fastnet_static"

tests=$(ctest --test-dir "$scratch/build" -N | sed -n 's/^Total Tests: //p')
[ "$tests" = 0 ] || {
    echo "FastNet's $tests tests have joined the other project's"
    exit 1
}
