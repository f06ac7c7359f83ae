# SPDX-License-Identifier: GPL-2.0
"""Makes the first file system of a guest (initramfs): programs, the kernel's modules, the project's
modules and tests.

An initramfs is several archives, one after the other. The first two change rarely and are kept in the
cache; the last, with the project's modules and tests, is made for each run. They are not compressed:
an emulated processor is slow at that.
"""

import compileall
import hashlib
import lzma
import os
import py_compile
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

LAB = Path(__file__).resolve().parent
TOP = LAB.parent.parent
PLUGIN = TOP / "build/iproute2/link_trunk.so"
PLUGINS = "usr/lib/x86_64-linux-gnu/ip"  # where Debian's ip looks for them
TRUNKCTL = [TOP / f"build/cargo/{profile}/trunkctl" for profile in ("debug", "release")]

# bash too: the shell of busybox prefers its own `ip` and `ping`.
PROGRAMS = """busybox bash setpriv ip bridge tc ss devlink ethtool iperf3 ping teamd lldpd lldpcli tcpdump python3
    ovsdb-tool ovsdb-server ovs-vswitchd ovs-vsctl ovs-appctl""".split()
OVS_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
PYTHON = Path("/usr/lib/python3.13")
YAML = Path("/usr/lib/python3/dist-packages/yaml")
PYTHON_WITHOUT = re.compile(r"/(config-.*|ensurepip|idlelib|pydoc_data|tkinter|turtledemo|venv|test"
                            r"|_(test|curses|sqlite|ssl|hashlib|dbm|codecs|xxtest)\S*\.so|readline\S*)$")

# Modules that the tests load by name or by device kind. What is built into the kernel is skipped.
MODULES = """virtio_pci virtio_net igb igbvf vmxnet3 e1000e
    dummy veth bridge 8021q macvlan macvtap ipvlan vrf vxlan tun netdevsim netconsole
    bonding team team_mode_activebackup team_mode_loadbalance team_mode_roundrobin
    openvswitch pktgen sch_netem sch_prio sch_ingress cls_bpf cls_matchall act_mirred l2tp_eth l2tp_netlink ifb
    kmemleak-test""".split()

NOT_FOR_GUESTS = shutil.ignore_patterns("__pycache__", "README.md")


def build(tree, kos, tests, more=None, beside=()):
    """Makes an initramfs for the kernel tree, with the modules and tests of these folders, and returns its
    path. `more`: a further archive, for this run alone. `beside`: further folders of modules."""
    cache = tree.parent
    programs = cached(cache, "programs", [Path("/var/lib/dpkg/status"), Path(__file__)], stage_programs)
    modules = cached(cache, f"modules-{tree.name}", [Path(__file__)], lambda to: stage_modules(tree, to))
    out = kos / f"initramfs{'-more' if more else ''}.cpio"
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as stage, open(f"{out}.{os.getpid()}", "wb") as f:
        own = archive(Path(stage), lambda to: stage_own(to, tree, [kos, *beside], tests))
        for part in programs.read_bytes(), modules.read_bytes(), own:
            f.write(part)
        if more:
            f.write(more.read_bytes())
    os.replace(f.name, out)
    return out


def cached(cache, name, inputs, stage):
    key = hashlib.sha256(b"".join(i.read_bytes() for i in inputs)).hexdigest()[:12]
    path = cache / f"{name}-{key}.cpio"
    if not path.exists():
        with tempfile.TemporaryDirectory() as to:
            partial = Path(f"{path}.{os.getpid()}")
            partial.write_bytes(archive(Path(to), stage))
        os.replace(partial, path)
    return path


def archive(to, stage):
    stage(to)
    names = subprocess.run(["find", ".", "-mindepth", "1"], cwd=to, stdout=subprocess.PIPE, check=True).stdout
    return subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=to, input=names,
                          stdout=subprocess.PIPE, check=True).stdout


def stage_programs(to):
    for d in "dev etc proc root run sys tmp var usr/bin usr/sbin usr/lib usr/lib64".split():
        (to / d).mkdir(parents=True)
    for d in "bin sbin lib lib64".split():
        (to / d).symlink_to(f"usr/{d}")

    files = [Path(shutil.which(p)) for p in PROGRAMS]
    files += [f for f in PYTHON.rglob("*") if not f.is_dir() and
              not any(PYTHON_WITHOUT.search(str(p)) for p in [f, *f.parents])]
    files += [f for f in YAML.rglob("*") if not f.is_dir()]  # for the kernel's netlink client
    files.append(OVS_SCHEMA)
    files.append(Path("/usr/lib/x86_64-linux-gnu/libgcc_s.so.1"))  # needed while programs run: by threads that end
    copy_all(files, to)
    (to / "usr/bin/sh").symlink_to("bash")
    (to / "var/run").symlink_to("/run")
    (to / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n_lldpd:x:1:1::/run/lldpd:/bin/false\n")
    (to / "etc/group").write_text("root:x:0:\n_lldpd:x:1:\n")
    (to / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")


def copy_all(files, to):
    """Copies files, and the libraries that programs among them need."""
    objects = {f.resolve() for f in files if f.suffix == ".so" or os.access(f, os.X_OK)}
    for f in objects | set(files):
        copy(f, to)
    for library in libraries(objects):
        copy(library, to)


def libraries(objects, **environment):
    out = subprocess.run(["ldd", *map(str, objects)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                         env={**os.environ, **environment}).stdout
    return {Path(m[1]) for m in re.finditer(r"(/\S+) \(0x", out)}


def copy(file, to):
    """Copies a file to its own place below `to`; if it is a link, also the file that it leads to."""
    # /lib is a link to /usr/lib: parents are resolved, the file itself is not.
    file = file.parent.resolve() / file.name
    target = to / file.relative_to("/")
    if target.is_symlink() or target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, target, follow_symlinks=False)
    if file.is_symlink():
        copy(file.parent / os.readlink(file), to)


def stage_modules(tree, to, names=MODULES):
    source, = (tree / "install/lib/modules").iterdir()
    release = source.name
    dest = to / "usr/lib/modules" / release
    dest.mkdir(parents=True)
    # Paths as depmod wrote them, by name of the module: its own path, then those of modules it needs.
    paths = {}
    for line in (source / "modules.dep").read_text().splitlines():
        path, needs = line.split(":")
        paths[module_name(path)] = [path, *needs.split()]
    for module in names:
        for path in paths.get(module_name(module), []):
            data = (source / path).read_bytes()
            if path.endswith(".xz"):
                path, data = path[:-3], lzma.decompress(data)
            (dest / path).parent.mkdir(parents=True, exist_ok=True)
            (dest / path).write_bytes(data)
    for builtin in source.glob("modules.builtin*"):
        shutil.copy(builtin, dest)
    subprocess.run(["depmod", "-b", to / "usr", release], check=True, stderr=subprocess.DEVNULL)


def module_name(path):
    return os.path.basename(path).split(".")[0].replace("-", "_")


def stage_own(to, tree, kos, tests):
    shutil.copy(LAB / "init", to / "init")
    (to / "lab").mkdir()
    for name in "selftest", "seeds", "seeds.py":
        shutil.copy(LAB / name, to / "lab")
    (to / "modules").mkdir()
    for folder in kos:
        for ko in folder.rglob("*.ko"):
            shutil.copy(ko, to / "modules")
    # In a guest they all are in one folder, so they can import each other.
    for folder in "library", "tests", "benchmarks", "demo":
        shutil.copytree(tests / folder, to / "tests", ignore=NOT_FOR_GUESTS, dirs_exist_ok=True)
    shutil.copytree(tests / "peers", to / "tests/peers", ignore=NOT_FOR_GUESTS)
    shutil.copytree(TOP / "samples/topologies", to / "samples/topologies")
    # A test compares its table with what it finds.
    shutil.copy(TOP / "Documentation/networking/trunk-interop.rst", to / "tests")
    # The kernel's own netlink client, in Python, and the spec from which it knows the family.
    shutil.copytree(tree / "source/tools/net/ynl/pyynl", to / "ynl/pyynl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(TOP / "Documentation/netlink/specs", to / "ynl/specs")
    # A test reads rtnetlink messages about trunks by this spec.
    shutil.copy(tree / "source/Documentation/netlink/specs/rt-link.yaml", to / "ynl/specs")
    if PLUGIN.exists():
        (to / PLUGINS).mkdir(parents=True)
        shutil.copy(PLUGIN, to / PLUGINS)
        (to / PLUGINS / "link_trunk_slave.so").symlink_to(PLUGIN.name)
    # Compiled here: an emulated processor takes seconds for that.
    for code in to / "tests", to / "ynl":
        compileall.compile_dir(code, quiet=1, stripdir=to, prependdir="/",
                               invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    if built := [file for file in TRUNKCTL if file.exists()]:
        newest = max(built, key=lambda file: file.stat().st_mtime)
        (to / "usr/bin").mkdir(parents=True)
        subprocess.run(["strip", "-o", to / "usr/bin/trunkctl", newest], check=True)
