# SPDX-License-Identifier: GPL-2.0
# Names of the files that set-up makes, for the other scripts: `. env.sh`. Nothing is made here.
# A name has a hash of what the file is made from, so a change of that makes a new file.

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$lab/../.." && pwd)
cache=${TRUNK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trunk}
packages=${TRUNK_PACKAGES:-$lab/packages}
suite=trixie
series=${SERIES:-7.3}

key() { sha256sum | cut -c1-12; }

root=$cache/root-$({ echo "$suite"; grep -v -e '^#' -e '^$' "$packages"; } | key)
# Unpacked programs for the kernel's own tests.
peers=$cache/peers-$({ echo "${root##*/}"; grep -v -e '^#' -e '^$' "$lab/peers.packages"; } | key)
# What cargo has built in a checkout. The next checkout starts with it: its libraries are the same.
crates=$cache/crates-$({ echo "${root##*/}"; cat "$top/tools/Cargo.toml" "$top/tools/Cargo.lock"; } | key)

# Set-up asks the mirror for the newest kernel, and records the answer here.
if read -r release version 2>/dev/null < "$cache/kernel-$suite-$series"; then
    name=${release%%+*}-$(echo "$release $version" | key)
    source=$cache/source-$name
    debian=$cache/debian-$name
    # Rust metadata fit one compiler only, so a tree depends on the tools that made it.
    tools=$(dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Package} ${Version}\n' \
        gcc-14 rustc rust-src bindgen libclang-19-dev clang-19 lld-19 2>/dev/null || true)
    # tree GUEST: the kernel tree of a guest: stock, debug, kunit.
    tree() { echo "$cache/$1-$name-$({ echo "$tools"; cat "$lab/$1.config" 2>/dev/null || true; } | key)"; }
fi
