# SPDX-License-Identifier: GPL-2.0
# Where set-up keeps things, for the other scripts: `. env.sh`. Names only; nothing is made here.
# Each name carries a hash of what the thing is made from, so a change of that makes a new one.

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$lab/../.." && pwd)
cache=${TRUNK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trunk}
packages=${TRUNK_PACKAGES:-$lab/packages}
suite=trixie
series=${SERIES:-7.3}

key() { sha256sum | cut -c1-12; }

root=$cache/root-$({ echo "$suite"; grep -v -e '^#' -e '^$' "$packages"; } | key)
# Programs for the kernel's own tests, unpacked.
peers=$cache/peers-$({ echo "${root##*/}"; grep -v -e '^#' -e '^$' "$lab/peers.packages"; } | key)
# What a checkout has built for its tools, for the next to start with: the libraries are the same.
crates=$cache/crates-$({ echo "${root##*/}"; cat "$top/tools/Cargo.toml" "$top/tools/Cargo.lock"; } | key)

# Which kernel that is, is known once set-up has asked the mirror and recorded the answer.
if read -r release version 2>/dev/null < "$cache/kernel-$suite-$series"; then
    name=${release%%+*}-$(echo "$release $version" | key)
    source=$cache/source-$name
    debian=$cache/debian-$name
    # Rust metadata fit one compiler only: a tree belongs to the tools that made it.
    tools=$(dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Package} ${Version}\n' \
        gcc-14 rustc rust-src bindgen libclang-19-dev clang-19 lld-19 2>/dev/null || true)
    # tree GUEST: the kernel tree of a guest: stock, debug, kunit.
    tree() { echo "$cache/$1-$name-$({ echo "$tools"; cat "$lab/$1.config" 2>/dev/null || true; } | key)"; }
fi
