#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# setup.sh [root|stock|kunit|uml|debug|peers|all]: makes what the lab needs, unless it is there already.
#
#   root    a Debian build root: compilers, the emulator, programs for the guests
#   stock   Rust metadata for Debian's own kernel, and that kernel
#   kunit   a User-Mode Linux kernel with sanitizers, for the uml guest too
#   debug   an x86_64 kernel with every check
#   peers   programs that the kernel's own tests need; not part of all
#
# All of it is in the cache (env.sh), in a directory for each. A directory that is complete has a file
# .complete; one that is not, since set-up was interrupted, is made again.
set -eu -o pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

# ---- the steps: each runs as a process of its own, with its output in a log

make_mmdebstrap() {
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mmdebstrap debian-archive-keyring
}

make_root() {
    # The host's own mirror if it has one: that one can be reached.
    local mirror
    mirror=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' |
        sed -n 's/^Debian|Debian|//p' | sort -u | head -n 1)
    mmdebstrap --mode=root --variant=minbase \
        --include="$(grep -v -e '^#' -e '^$' "$packages" | paste -sd,)" "$suite" "$root" $mirror

    # Newer kernels are in backports, which every mirror of the suite has.
    local list=$root/etc/apt/sources.list.d/backports.list
    in_root apt-get update
    in_root apt-get indextargets --format '$(RELEASE)|$(REPO_URI)' | sed -n "s/^$suite|//p" | sort -u |
        sed "s/.*/deb & $suite-backports main/" > "$list"
    [ -s "$list" ]
}

# Records the newest kernel of the series whose source, headers, image and modules agree.
find_kernel() {
    in_root apt-get update
    local v r
    has() { in_root apt-cache madison "$1" | grep -qF "| $2 |"; }
    for v in $(in_root apt-cache madison "linux-source-$series" | cut -d'|' -f2); do
        for r in $(in_root apt-cache search --names-only "^linux-headers-${series/./\\.}\.[0-9]+\+deb[0-9]+-amd64\$" |
            sed 's/^linux-headers-\([^ ]*\).*/\1/' | sort -Vr); do
            if has "linux-headers-$r" "$v" && has "linux-modules-$r" "$v" && image_package "$r" "$v"; then
                echo "$r $v" > "$cache/kernel-$suite-$series.new"
                mv "$cache/kernel-$suite-$series.new" "$cache/kernel-$suite-$series"
                return
            fi
        done
    done
    echo "series: $(in_root apt-cache madison $(in_root apt-cache pkgnames linux-source-) |
        sed -n "s/^linux-source-\([0-9.]*\) .*$suite-backports.*/\1/p" | sort -uV | paste -sd' ')"
    return 1
}

image_package() {
    local p
    for p in "linux-binary-$1" "linux-binary-unsigned-$1"; do
        if in_root apt-cache madison "$p" | grep -qF "| $2 |"; then echo "$p"; return; fi
    done
    return 1
}

# unpack DIR PACKAGE…: downloads packages of the recorded version and unpacks them.
unpack() {
    local dir=$1 p
    shift
    mkdir "$dir/deb"
    (cd "$dir/deb" && in_root apt-get -o APT::Sandbox::User=root download "${@/%/=$version}")
    for p in "$dir"/deb/*.deb; do dpkg-deb -x "$p" "$dir"; done
    rm -r "$dir/deb"
}

make_debian() {
    unpack "$debian" "linux-headers-$release" "linux-modules-$release" "$(image_package "$release" "$version")"
    in_root depmod -b "$debian/usr" "$release"
}

make_source() {
    unpack "$source" "linux-source-$series"
    tar -C "$source" --strip-components=1 -xf "$source/usr/src/linux-source-$series.tar.xz"
    rm -r "$source/usr/src" "$source/usr/share"
}

make_stock() {
    local out
    out=$(tree stock)
    in_root "$lab/prepare-tree" "$source" "$debian/usr/src/linux-headers-$release" "$out" "$release"
    ln -s "$debian/usr" "$out/install"
    ln -s install/lib/modules/"$release"/vmlinuz.unsigned "$out/image"
    [ -e "$out/image" ] || ln -sf install/lib/modules/"$release"/vmlinuz "$out/image"
}

# With the packages that they depend on and the root lacks. They stay outside the root.
make_peers() {
    mkdir -p "$peers/deb/partial"
    in_root apt-get update
    in_root apt-get install -y --download-only --no-install-recommends -o APT::Sandbox::User=root \
        -o Dir::Cache::archives="$peers/deb" $(grep -v -e '^#' -e '^$' "$lab/peers.packages")
    local p
    for p in "$peers"/deb/*.deb; do dpkg-deb -x "$p" "$peers"; done
    rm -r "$peers/deb"
}

make_debug() { make_kernel debug; }
make_kunit() { make_kernel kunit ARCH=um; }

make_kernel() {
    local guest=$1 out image=arch/x86/boot/bzImage
    shift
    out=$(tree "$guest")
    set -- in_root make -C "$source" O="$out" LLVM=-19 "$@"
    "$@" KCONFIG_ALLCONFIG="$lab/$guest.config" allnoconfig
    check_config "$lab/$guest.config" "$out/.config"
    "$@" -j"$(nproc)"
    "$@" INSTALL_MOD_PATH="$out/install" modules_install
    if [ "$guest" = kunit ]; then image=linux; fi
    ln -s "$image" "$out/image"
}

# Fails with the lines of the configuration that kconfig did not take. An option that does not exist is off.
check_config() {
    local line bad=
    while read -r line; do
        case $line in
        *=n) grep -q "^${line%n}" "$2" && bad+=" $line" ;;
        *) grep -qxF "$line" "$2" || bad+=" $line" ;;
        esac
    done < <(grep '^CONFIG_' "$1")
    [ -z "$bad" ] || { echo "kconfig did not take:$bad"; return 1; }
}

in_root() { "$lab/in-root" "$@"; }

if [ "${1-}" = --step ]; then
    shift
    "$@"
    exit
fi

# ---- what the user sees

fail() { printf 'set-up: %s\n' "$@" >&2; exit 1; }

# run STEP WHAT: runs a step and shows how long it takes; on a terminal, each second.
ticker=
run() {
    local what=$2 start=$SECONDS ok=
    log=$cache/log/$1.log
    if [ -t 1 ]; then
        (while sleep 1; do printf '\r%s … %d s' "$what" $((SECONDS - start)); done) 9>&- & ticker=$!
    fi
    printf '%s … ' "$what"
    if "$0" --step "$1" < /dev/null > "$log" 2>&1; then ok=yes; fi
    stop_ticker
    if [ -t 1 ]; then printf '\r%s … ' "$what"; fi
    if [ $ok ]; then
        echo "$((SECONDS - start)) s"
    else
        echo failed
        explain
    fi
}
stop_ticker() { if [ "$ticker" ]; then kill "$ticker" 2>/dev/null || true; wait "$ticker" 2>/dev/null || true; ticker=; fi; }
trap stop_ticker EXIT
trap 'exit 130' INT TERM

# Says what happened and what to do, from the log of a failed step.
explain() {
    local found
    if found=$(grep -oP '(Unable to locate package|Couldn.t find any package by glob|Version .* for) \K\S+|Package \K\S+(?= has no installation candidate)' "$log" | head -n 1); then
        fail "the mirror has no package ${found//\'/}." \
            "If it was renamed, correct tools/lab/packages; if the mirror is being updated, try again in an hour."
    elif found=$(grep -m 1 '^series: ' "$log"); then
        fail "the mirror has no complete Linux $series for $suite-backports (source, headers, image and modules of one version)." \
            "It has the series ${found#series: }. Choose one: SERIES=NUMBER make …"
    elif grep -qE 'No space left on device' "$log"; then
        fail "no space left in $cache. Free some, or put it elsewhere with TRUNK_CACHE=DIRECTORY, and run this again."
    elif grep -qE 'Could not resolve|Could not connect|Temporary failure|Failed to fetch|Network is unreachable' "$log"; then
        fail "the package mirror cannot be reached. Look at the network and at /etc/apt, and run this again." "See $log"
    fi
    tail -n 15 "$log" >&2
    fail "that was the end of $log; run this again once the cause is gone."
}

case ${1:-all} in
all) wanted="stock kunit debug" ;;
root) wanted= ;;
stock | kunit | debug) wanted=$1 ;;
uml) wanted=kunit ;;
peers) wanted="stock peers" ;;
*) fail "usage: setup.sh [root|stock|kunit|uml|debug|peers|all]" ;;
esac
[[ $series =~ ^[0-9]+\.[0-9]+$ ]] || fail "SERIES is a kernel series such as 7.3, not '$series'."
things="root ${wanted:+source debian} $wanted"

declare -A what=(
    [root]="Debian build root (1 min)"
    [source]="kernel source"
    [debian]="Debian's kernel"
    [stock]="Rust metadata for Debian's kernel (2 min)"
    [kunit]="kernel of the kunit guest (10 min)"
    [debug]="kernel of the debug guest (12 min)"
    [peers]="programs for the kernel's own tests")
declare -A gigabytes=([root]=3 [source]=2 [debian]=1 [stock]=1 [kunit]=2 [debug]=2 [peers]=1)

# where THING: prints its directory, or nothing while the kernel is not known.
where() {
    case $1 in
    root) echo "$root" ;;
    source) echo "${source-}" ;;
    debian) echo "${debian-}" ;;
    peers) echo "$peers" ;;
    *) [ -z "${release-}" ] || tree "$1" ;;
    esac
}
have() { local dir; dir=$(where "$1"); [ "$dir" ] && [ -e "$dir/.complete" ]; }

[ "$(id -u)" = 0 ] || fail "this needs root: it mounts file systems and uses chroot. Run make as root."

unshare --mount true 2> /dev/null ||
    fail "mounting is not allowed here. In a container, it takes CAP_SYS_ADMIN (docker run --privileged)."

need=0
for thing in $things; do have "$thing" || need=$((need + gigabytes[$thing])); done
[ $need -gt 0 ] || exit 0

for command in apt-get dpkg-deb unshare flock; do
    command -v $command > /dev/null ||
        fail "this machine has no $command. The lab needs Debian 12 or newer, or a relative of it."
done
[ "$(dpkg --print-architecture)" = amd64 ] || fail "the lab needs an amd64 machine; this is $(dpkg --print-architecture)."

mkdir -p "$cache/log"
free=$(($(df --output=avail -k "$cache" | tail -n 1) / 1024 / 1024))
[ $free -ge $need ] || fail "$cache has $free GB free; $need GB are needed." \
    "Free some, or put the cache elsewhere: TRUNK_CACHE=DIRECTORY make …"

exec 9> "$cache/lock"
flock -n 9 || { echo "waiting for another set-up to end"; flock 9; }

for thing in $things; do
    # Names depend on what was made before: those of kernels on the compilers in the root.
    . "$lab/env.sh"
    ! have "$thing" || continue
    case $thing in
    root) command -v mmdebstrap > /dev/null || run make_mmdebstrap "mmdebstrap" ;;
    # The mirror may have a newer kernel than was recorded: ask again.
    source | debian)
        run find_kernel "newest Linux $series in $suite-backports"
        . "$lab/env.sh"
        ! have "$thing" || continue
        ;;
    esac
    dir=$(where "$thing")
    rm -rf --one-file-system "$dir"
    mkdir -p "$dir"
    run "make_$thing" "${what[$thing]}"
    touch "$dir/.complete"
done
