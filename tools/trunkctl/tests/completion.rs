// SPDX-License-Identifier: GPL-2.0

//! Tests completion in the shells, installed as the documentation says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes a directory for a test, with a trunkctl that knows two ports.
fn home(of: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(of);
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(home.join("bin")).unwrap();
    let own = env!("CARGO_BIN_EXE_trunkctl");
    let text = format!(
        "#!/bin/sh\n\
         if [ \"$*\" = '__complete port set et' ]; then printf 'eth1\\neth2\\n'; exit; fi\n\
         exec {own} \"$@\"\n"
    );
    let path = home.join("bin/trunkctl");
    fs::write(&path, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&path, mode).unwrap();
    home
}

/// Writes the script of a shell into a file below a home.
fn install(home: &Path, shell: &str, file: &str) {
    let script = Command::new(env!("CARGO_BIN_EXE_trunkctl"))
        .args(["completion", shell])
        .output()
        .unwrap();
    let file = home.join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, script.stdout).unwrap();
}

/// Returns what a shell prints. It reads no files of the user.
fn said(home: &Path, words: &[&str]) -> String {
    let path = format!("{}/bin:/usr/bin:/bin", home.display());
    let output = Command::new("timeout")
        .arg("120")
        .args(words)
        .env_clear()
        .envs([("PATH", path.as_str()), ("TERM", "dumb")])
        .env("HOME", home)
        .current_dir(home)
        .output()
        .unwrap();
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    assert!(
        output.status.success(),
        "{words:?}, which tools/lab/packages names: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

#[test]
fn bash() {
    let home = home("bash");
    install(&home, "bash", "script");
    let script = "source ./script; COMP_WORDS=(trunkctl \"$@\") COMP_CWORD=$#; _trunkctl; \
                  echo \"${COMPREPLY[*]}\"";
    let completed = |words: &[&str]| {
        let all = [&["bash", "--norc", "-c", script, "bash"], words].concat();
        said(&home, &all)
    };
    assert_eq!(completed(&["port", "set", "et"]), "eth1 eth2\n");
    assert_eq!(completed(&["set", "trunk0", "sel"]), "selector\n");
}

#[test]
fn fish() {
    let home = home("fish");
    install(&home, "fish", ".config/fish/completions/trunkctl.fish");
    let completed = |line: &str| {
        let command = format!("complete -C '{line}'");
        said(&home, &["fish", "-c", &command])
    };
    assert_eq!(completed("trunkctl port set et"), "eth1\neth2\n");
    assert_eq!(completed("trunkctl set trunk0 sel"), "selector\n");
    // Files are offered only where a file is expected.
    assert_eq!(completed("trunkctl completion "), "bash\nfish\nzsh\n");
    assert_eq!(completed("trunkctl apply b"), "bin/\n");
}

/// Types into a zsh on a terminal. Ctrl-X prints its line.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= fpath=(\$HOME/functions \$fpath); $1
autoload -Uz compinit; compinit -u -D; $2
tell() { print -r -- \"<\$BUFFER>\" }; zle -N tell; bindkey '^X' tell"
shift 2
for line; do
    zpty -n -w shell $'\C-u'"$line"$'\t\C-x'
    zpty -r shell seen "*<trunkctl*>*"
    print -r -- "${${seen##*<}%%>*}"
done
zpty -d shell
"#;

#[test]
fn zsh() {
    let home = home("zsh");
    install(&home, "zsh", "functions/_trunkctl");
    install(&home, "zsh", "script");
    for (before, after) in [
        // The function is loaded as this line is completed.
        ("", ""),
        ("fpath=(${fpath:#$HOME/*})", "source ./script"),
    ] {
        let typed = |lines: &[&str]| {
            let all = [&["zsh", "-f", "-c", ZSH, "zsh", before, after], lines].concat();
            said(&home, &all)
        };
        assert_eq!(
            typed(&[
                "trunkctl set trunk0 sel",
                "trunkctl port set et",
                "trunkctl completion f"
            ]),
            "trunkctl set trunk0 selector \ntrunkctl port set eth\ntrunkctl completion fish \n",
            "{after}"
        );
    }
}
