#!/bin/sh
# install.sh BUILD_DIR: installs the release build into a scratch folder, moves it, and uses it there
# the way users do: find_package, pkg-config, C11, C++17, the command.
set -eu
build=$1
here=$(cd "$(dirname "$0")" && pwd)

if [ ! -e "$build/libfastnet.so" ]; then
    echo "skipped: there is no $build/libfastnet.so (run scripts/build release)"
    exit 77
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/moved

cmake --install "$build" --prefix "$scratch/first" >"$scratch/log" 2>&1 || {
    cat "$scratch/log"
    exit 1
}
mv "$scratch/first" "$prefix"

echo "find_package"
cmake -S "$here/consumer" -B "$scratch/consumer" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$scratch/log"
cmake --build "$scratch/consumer" -- --quiet
"$scratch/consumer/shared_user"
"$scratch/consumer/static_user"

PKG_CONFIG_PATH=$(find "$prefix" -name pkgconfig -type d)
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --libs fastnet)
strict="-Wall -Wextra -Wpedantic -Werror"
example=$here/../e2e/spec_example.c.txt
library=$(dirname "$(find "$prefix" -name libfastnet.so)")

echo "pkg-config, C11 and C++17"
# shellcheck disable=SC2086  # flags are words
{
    cc -std=c11 $strict "$here/consumer/version.c" $flags -o "$scratch/version"
    cc -std=c11 $strict -x c "$example" -x none $flags -o "$scratch/example_c"
    c++ -std=c++17 $strict -x c++ "$example" -x none $flags -o "$scratch/example_cpp"
}
LD_LIBRARY_PATH=$library "$scratch/version"

echo "the command, from where it was installed"
"$prefix/bin/fastnet" --help >/dev/null
