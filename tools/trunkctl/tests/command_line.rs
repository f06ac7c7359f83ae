// SPDX-License-Identifier: GPL-2.0

//! Tests the program from outside: exit statuses, standard output and standard error. The commands
//! here name what does not exist, or need no kernel.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn trunkctl(line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkctl"));
    command.args(line.split_whitespace()).output().unwrap()
}

/// Returns status, standard output, standard error.
fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn refused(line: &str) -> String {
    let (status, out, err) = told(&trunkctl(line));
    assert_eq!((status, out.as_str()), (Some(1), ""), "{line}: {err}");
    err
}

#[test]
fn help_and_version_are_no_errors() {
    for line in [
        "--help",
        "help",
        "help port",
        "port --help",
        "port set --help",
        "-V",
        "-Version",
    ] {
        let (status, out, err) = told(&trunkctl(line));
        assert_eq!((status, err.as_str()), (Some(0), ""), "{line}");
        assert!(!out.is_empty(), "{line}");
    }
}

#[test]
fn wrong_commands_exit_with_1() {
    for line in [
        "nonsense",
        "show --nonsense",
        "set",
        "table show a b",
        "-j -x",
        "port set",
        "completion ksh",
    ] {
        assert!(!refused(line).is_empty(), "{line}");
    }
}

#[test]
fn wrong_words_are_named() {
    for (line, want) in [
        ("set trunk0", "Error: there is nothing to be set.\n"),
        (
            "set trunk0 bits six",
            "Error: bits: \"six\" is not a number.\n",
        ),
        (
            "set trunk0 colour red",
            "Error: \"colour\" is not understood.\n",
        ),
        (
            "set trunk0 selector mac",
            "Error: selector: \"mac\" is none of dmac, smac, smac-dmac, flow.\n",
        ),
        ("port set eth1", "Error: there is nothing to be set.\n"),
        (
            "port add eth1",
            "Error: port add eth1: dev and a trunk are missing.\n",
        ),
        (
            "table set trunk0 0-",
            "Error: bucket: \"\" is not a number.\n",
        ),
        (
            "show trunk0 trunk1",
            "Error: \"trunk1\" is not understood.\n",
        ),
        (
            "monitor ports",
            "Error: \"ports\" is none of all, port, failover, failback, table, config, peer, claim, \
             dev.\n",
        ),
        (
            "set trunk0 interval fast",
            "Error: interval: \"fast\" is not a time, as 500us, 10ms or 2s.\n",
        ),
        (
            "set trunk0 key 0123",
            "Error: key: it is not 32 hexadecimal digits.\n",
        ),
        (
            "set trunk0 key-file /no/such/file",
            "Error: /no/such/file: No such file or directory (os error 2).\n",
        ),
        (
            "claim trunk0 port eth1",
            "Error: claim trunk0: mark and a number are missing.\n",
        ),
        (
            "claim no-such-dev port eth1 mark 7 -- true",
            "Error: there is no device \"no-such-dev\".\n",
        ),
        ("add trunk0 port", "Error: port: a value is missing.\n"),
        (
            "pin address 02:00:00:00:00:01",
            "Error: address: name the one trunk that it is behind.\n",
        ),
        (
            "pin trunk0 address 01:00:5e:00:00:01",
            "Error: address: 01:00:5e:00:00:01 is not the address of a station.\n",
        ),
    ] {
        assert_eq!(refused(line), want, "{line}");
    }
}

#[test]
fn what_is_not_there_exits_with_1() {
    for line in [
        "show",
        "set",
        "del",
        "history",
        "port del",
        "port show",
        "table show",
        "stats",
        "claim show",
    ] {
        let more = if line == "set" { " bits 5" } else { "" };
        let got = refused(&format!("{line} no-such-dev{more}"));
        assert_eq!(got, "Error: there is no device \"no-such-dev\".\n");
    }
    let long = "x".repeat(128);
    let got = refused(&format!("show {long}"));
    assert_eq!(
        got,
        format!("Error: \"{long}\" cannot be the name of a device.\n")
    );
    let got = refused("-n no-such-netns show");
    assert_eq!(
        got,
        "Error: network namespace \"no-such-netns\": No such file or directory.\n"
    );
    assert_eq!(refused("show lo"), "Error: \"lo\" is not a trunk.\n");
    assert_eq!(
        refused("port set lo prio 2"),
        "Error: \"lo\" is not a port of a trunk.\n"
    );
    assert!(refused("apply /no/such/file").contains("/no/such/file: No such file"));
}

/// Runs a command with standard input.
fn with_input(line: &str, input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_trunkctl"))
        .args(line.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may end without reading it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    told(&child.wait_with_output().unwrap())
}

#[test]
fn a_batch_stops_where_it_fails_unless_forced() {
    let lines = "# nothing\n\nset trunk0 bits x  # wrong\nshow lo\n";
    let (status, _, err) = with_input("-batch -", lines);
    assert_eq!(status, Some(1));
    assert_eq!(
        err,
        "Error: bits: \"x\" is not a number.\nCommand failed -:3\n"
    );
    let (status, _, err) = with_input("-force -batch -", lines);
    assert_eq!(status, Some(1));
    assert!(
        err.ends_with("Error: \"lo\" is not a trunk.\nCommand failed -:4\n"),
        "{err}"
    );
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("commands");
    std::fs::write(&file, lines).unwrap();
    let file = file.display();
    assert_eq!(
        refused(&format!("-batch {file}")),
        format!("Error: bits: \"x\" is not a number.\nCommand failed {file}:3\n")
    );
    assert_eq!(
        refused("-batch - show"),
        "Error: --batch takes its commands from a file.\n"
    );
    assert_eq!(
        refused("-batch /no/such/file"),
        "Error: /no/such/file: No such file or directory (os error 2).\n"
    );
    assert_eq!(with_input("-b -", "# nothing\n").0, Some(0));
    assert_eq!(with_input("--force", "").0, Some(1));
    assert!(with_input("-b -", "-n x show\n")
        .2
        .contains("within a batch"));
    let (_, _, err) = with_input("-b -", "nonsense\n");
    let want = "Error: unrecognized subcommand 'nonsense'.\nCommand failed -:1\n";
    assert_eq!(err, want);
    let (_, _, err) = with_input("-b -", "claim t port a mark 1 -- true\n");
    assert!(err.contains("cannot be in a batch"), "{err}");
}

#[test]
fn a_configuration_is_checked_as_a_whole_before_anything_is_done() {
    let (status, _, err) = with_input("apply -", "trunk t9\nport a\ntrunk t8 bits\n");
    assert_eq!(
        (status, err.as_str()),
        (Some(1), "Error: -:3: bits: a value is missing.\n")
    );
    let (status, out, err) = with_input("apply --dry-run -", "trunk t9\nport no/such-dev\n");
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert_eq!(
        err,
        "Error: \"no/such-dev\" cannot be the name of a device.\n"
    );
}

#[test]
fn a_device_that_is_not_there_is_told_of() {
    let warning = "Warning: t9: there is no device \"no-such-dev\"; it joins when it appears.\n";
    for (line, want) in [("apply --dry-run -", 3), ("diff -", 1)] {
        let (status, out, err) = with_input(line, "trunk t9\nport no-such-dev\n");
        assert_eq!((status, err.as_str()), (Some(want), warning));
        assert_eq!(out, "add t9\nport add no-such-dev dev t9 --later\n");
    }
}

#[test]
fn nothing_to_be_done_is_done() {
    for line in ["apply -", "apply --dry-run -", "diff -"] {
        assert_eq!(
            with_input(line, "# empty\n"),
            (Some(0), String::new(), String::new())
        );
    }
    assert_eq!(with_input("-j diff -", "").1, "[]\n");
}

#[test]
fn completion() {
    for shell in ["bash", "zsh", "fish"] {
        let (status, out, _) = told(&trunkctl(&format!("completion {shell}")));
        assert_eq!(status, Some(0));
        assert!(out.contains("trunkctl __complete"), "{shell}");
    }
    let (status, out, err) = told(&trunkctl("__complete set trunk0 sel"));
    assert_eq!(
        (status, out.as_str(), err.as_str()),
        (Some(0), "selector\n", "")
    );
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_trunkctl"))
        .args(["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let (status, _, err) = told(&child.wait_with_output().unwrap());
    assert_eq!((status, err.as_str()), (Some(0), ""));
}

#[cfg(feature = "watch")]
#[test]
fn the_live_screen_needs_a_terminal() {
    assert_eq!(
        told(&trunkctl("watch")),
        (
            Some(1),
            String::new(),
            "Error: watch needs a terminal; monitor does without.\n".to_string()
        )
    );
}
