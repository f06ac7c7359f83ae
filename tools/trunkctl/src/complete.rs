// SPDX-License-Identifier: GPL-2.0

//! Completion: the words that may come next on a command line, and the scripts for shells.

use std::collections::BTreeSet;

use clap::{ArgAction, CommandFactory};
use trunk_nl::uapi::{Failback, FarEnd, Peers, ProbeMode, Role, Selector};
use trunk_nl::{Link, KIND};

use crate::cli::{Cli, Shell};
use crate::words::{LINK_WORDS, RULE_WORDS, TRUNK_WORDS};

const BASH: &str = r#"# SPDX-License-Identifier: GPL-2.0
_trunkctl() {
    local IFS=$'\n' word=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=($(compgen -W "$(trunkctl __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "$word"))
}
complete -o default -F _trunkctl trunkctl
"#;

const ZSH: &str = r#"#compdef trunkctl
# SPDX-License-Identifier: GPL-2.0
_trunkctl() {
    local -a names
    names=("${(@f)$(trunkctl __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n $names ]]; then compadd -a names; else _files; fi
}
# Found in fpath, this is read when it is asked for the first time, and so has to answer.
if [[ $funcstack[1] == _trunkctl ]]; then _trunkctl "$@"; else compdef _trunkctl trunkctl; fi
"#;

const FISH: &str = r#"# SPDX-License-Identifier: GPL-2.0
complete -c trunkctl -f -a '(trunkctl __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
complete -c trunkctl -n '__fish_seen_subcommand_from apply diff' -F
"#;

pub fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        Shell::Fish => FISH,
    }
}

/// Returns the words that may stand in place of the last of `words`, which may be empty or begun.
/// `words` begin after the name of the program. `links` are the devices of the namespace. Alternative
/// names complete what is begun; they are not offered beside the names, of which there are enough.
pub fn candidates(words: &[String], links: &[Link]) -> Vec<String> {
    let Some((last, before)) = words.split_last() else {
        return Vec::new();
    };
    if before.iter().any(|word| word == "--") {
        return Vec::new(); // Another program's words.
    }
    let mut links = links.to_vec();
    if last.is_empty() {
        links.iter_mut().for_each(|link| link.altnames.clear());
    }
    let links = &links;
    let mut command = Cli::command();
    command.build();
    let mut path = Vec::new();
    let mut rest: Vec<&str> = Vec::new();
    let mut before = before.iter().map(String::as_str);
    let mut open = None;
    while let Some(word) = before.next() {
        open = None;
        if word.starts_with('-') {
            if takes_value(&command, word) && before.next().is_none() {
                open = Some(word);
            }
            continue;
        }
        let inner = command.find_subcommand(word).or_else(|| {
            let mut inner = command
                .get_subcommands()
                .filter(|c| c.get_name().starts_with(word));
            inner.next().filter(|_| inner.next().is_none())
        });
        match inner.filter(|_| rest.is_empty()) {
            Some(inner) => {
                path.push(inner.get_name().to_string());
                command = inner.clone();
            }
            None => rest.push(word),
        }
    }
    if open.is_some() {
        return Vec::new(); // A file or a namespace: the shell's own business.
    }
    let mut all = match last.starts_with('-') {
        true => options(&command),
        false => {
            let commands = command.get_subcommands().filter(|c| !c.is_hide_set());
            let names = commands.map(|c| c.get_name().to_string());
            let mut all: Vec<_> = names.filter(|_| rest.is_empty()).collect();
            let path: Vec<&str> = path
                .iter()
                .map(String::as_str)
                .filter(|c| *c != "trunk")
                .collect();
            all.extend(words_after(&path, &rest, links));
            all
        }
    };
    all.retain(|word| word.starts_with(last.as_str()));
    all.sort();
    all.dedup();
    all
}

fn takes_value(command: &clap::Command, word: &str) -> bool {
    let word = crate::cli::normalized([word.to_string()]).concat();
    command.get_arguments().any(|argument| {
        let long = argument.get_long().map(|long| format!("--{long}"));
        let short = argument.get_short().map(|short| format!("-{short}"));
        let named = long.is_some_and(|l| l == word) || short.is_some_and(|s| s == word);
        named
            && matches!(argument.get_action(), ArgAction::Set)
            && !argument.is_require_equals_set()
    })
}

fn options(command: &clap::Command) -> Vec<String> {
    let shown = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set());
    let long = shown.filter_map(|argument| argument.get_long());
    long.map(|long| format!("--{long}")).collect()
}

/// Returns what may follow some words of a command.
fn words_after(path: &[&str], rest: &[&str], links: &[Link]) -> Vec<String> {
    let trunks = || names(links, Link::is_trunk);
    let is_port = |link: &Link| link.port_kind.as_deref() == Some(KIND);
    let ports = |of: Option<&str>| {
        let of = of.and_then(|name| links.iter().find(|link| link.has_name(name)));
        let of = of.filter(|link| link.is_trunk()).map(|link| link.ifindex);
        names(links, |link| {
            is_port(link) && (of.is_none() || link.master == of)
        })
    };
    let free = || {
        names(links, |link| {
            link.master.is_none() && !link.is_trunk() && link.ifname != "lo"
        })
    };
    // After the word dev, a name follows.
    let after_dev = rest.last() == Some(&"dev");
    let rest: Vec<&str> = rest.iter().copied().filter(|word| *word != "dev").collect();
    let first = rest.is_empty();
    let last = rest.last().copied().unwrap_or_default();
    let dev = |mut all: Vec<String>| {
        all.extend((!after_dev).then(|| "dev".to_string()));
        all
    };
    match path {
        ["show" | "del" | "history" | "save" | "doctor" | "watch"] if first => dev(trunks()),
        ["table", "show" | "reset"] if first => dev(trunks()),
        ["stats"] if first => join(dev(trunks()), &["reset"]),
        ["stats"] => fixed(&["reset"]),
        ["set"] if first => dev(trunks()),
        ["set"] => settings_words(&rest),
        ["add"] if first => Vec::new(),
        ["add"] if last == "port" => free(),
        ["add"] if LINK_WORDS.contains(&last) => Vec::new(),
        ["add"] if rest.len() == 1 => join(join(settings_words(&rest), &LINK_WORDS), &["port"]),
        ["add"] => match rest.contains(&"port") {
            true => join(port_words(last), &["port"]),
            false => join(settings_words(&rest), &["port"]),
        },
        ["failback"] if first => dev(trunks()),
        ["failback"] if last == "port" => ports(rest.first().copied()),
        ["failback"] => fixed(&["port"]),
        ["port", "show"] if after_dev => trunks(),
        ["port", "show"] if first => dev(ports(None)),
        ["port", "set"] if first => ports(None),
        ["port", "set"] => port_words(last),
        ["port", "add"] if first => free(),
        ["port", "add"] if after_dev => trunks(),
        ["port", "add"] if rest.len() == 1 => fixed(&["dev"]),
        ["port", "add"] => port_words(last),
        ["port", "del"] if first => ports(None),
        ["table", "set"] if first => dev(trunks()),
        ["table", "set"] if rest.len() % 2 == 0 => join(ports(rest.first().copied()), &["auto"]),
        ["claim", "show"] if first => dev(trunks()),
        ["claim"] if first => dev(trunks()),
        ["claim"] if last == "port" => ports(rest.first().copied()),
        ["claim"] if ["mark", "name"].contains(&last) => Vec::new(),
        ["claim"] => fixed(&["port", "mark", "name"]),
        ["pin"] if last == "address" => Vec::new(),
        ["pin"] if after_dev => trunks(),
        ["pin"] => join(trunks(), &["address", "dev"]),
        ["monitor"] if after_dev => trunks(),
        ["monitor"] => fixed(&[
            "all", "claim", "config", "dev", "failback", "failover", "peer", "port", "table",
        ]),
        ["completion"] if first => fixed(&["bash", "fish", "zsh"]),
        _ => Vec::new(),
    }
}

/// Returns what may follow these words, which end with settings of a trunk. A rule for devices that
/// join by themselves has several words, in any order.
fn settings_words(rest: &[&str]) -> Vec<String> {
    let last = rest.last().copied().unwrap_or_default();
    let begin = |word: &&str| TRUNK_WORDS.contains(word);
    let rule = match rest.iter().rposition(begin) {
        Some(at) if rest[at] == "auto-join" => &rest[at + 1..],
        _ => return trunk_words(last),
    };
    match rule {
        [] => join(fixed(&RULE_WORDS[..5]), &["none"]),
        ["none"] => fixed(&TRUNK_WORDS),
        _ if rule.len() % 2 == 1 => Vec::new(), // Any value.
        _ => join(fixed(&RULE_WORDS[..5]), &TRUNK_WORDS),
    }
}

/// Returns what may follow a word within the settings of a trunk.
fn trunk_words(last: &str) -> Vec<String> {
    match last {
        "bits" => (0..=16).map(|bits: u32| bits.to_string()).collect(),
        "selector" => Selector::ALL.map(|value| value.to_string()).to_vec(),
        "role" => Role::ALL.map(|value| value.to_string()).to_vec(),
        "failback" => Failback::ALL.map(|value| value.to_string()).to_vec(),
        "far-end" => FarEnd::ALL.map(|value| value.to_string()).to_vec(),
        "probe" => ProbeMode::ALL.map(|value| value.to_string()).to_vec(),
        "peers" => Peers::ALL.map(|value| value.to_string()).to_vec(),
        "hold-down" => fixed(&["off"]),
        "key" => fixed(&["none"]),
        // A number, a time or an address; the shell completes files.
        "delay" | "interval" | "reply-timeout" | "misses" | "hits" | "min-links"
        | "probe-ethertype" | "probe-address" | "key-file" => Vec::new(),
        _ => fixed(&TRUNK_WORDS),
    }
}

/// Returns what may follow a word within the settings of a port.
fn port_words(last: &str) -> Vec<String> {
    match last {
        "prio" | "priority" => Vec::new(),
        "weight" => fixed(&["auto"]),
        _ => fixed(&["prio", "weight", "enable", "disable"]),
    }
}

fn fixed(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

fn join(mut all: Vec<String>, words: &[&str]) -> Vec<String> {
    all.extend(fixed(words));
    all
}

fn names(links: &[Link], which: impl Fn(&Link) -> bool) -> Vec<String> {
    let chosen = links.iter().filter(|link| which(link));
    let names = chosen.flat_map(|link| [&link.ifname].into_iter().chain(&link.altnames));
    names
        .cloned()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// Returns the network namespace that the words name, whose devices are offered.
pub fn netns(words: &[String]) -> Option<&str> {
    let at = words
        .iter()
        .position(|word| ["-n", "-netns", "--netns"].contains(&word.as_str()))?;
    words.get(at + 1).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// Returns the candidates for a line; `_` at its end is an empty word.
    fn of(line: &str) -> String {
        let link = |ifindex, name: &str, port_of: Option<u32>| Link {
            ifindex,
            ifname: name.into(),
            master: port_of,
            port_kind: port_of.map(|_| KIND.to_string()),
            ..Link::default()
        };
        let links = [
            fixtures::link(),
            link(4, "eth1", Some(3)),
            link(5, "eth2", Some(3)),
            Link {
                altnames: vec!["enp8s0".into(), "enx020000000008".into()],
                ..link(8, "eth5", None)
            },
            link(1, "lo", None),
        ];
        let word = |word: &str| {
            if word == "_" {
                String::new()
            } else {
                word.to_string()
            }
        };
        let words: Vec<_> = line.split_whitespace().map(word).collect();
        candidates(&words, &links).join(" ")
    }

    #[test]
    fn commands() {
        assert_eq!(of("sh"), "show");
        assert_eq!(of("port _"), "add del help set show");
        assert!(of("_").contains("history") && !of("_").contains("__complete"));
        assert_eq!(of("mo"), "monitor");
        assert!(of("show --j").contains("--json"));
    }

    #[test]
    fn live_names() {
        for (line, want) in [
            ("show _", "dev trunk0"),
            ("show dev _", "trunk0"),
            ("-j sho t", "trunk0"),
            ("-n blue show t", "trunk0"),
            ("trunk show t", "trunk0"),
            ("port show _", "dev eth1 eth2"),
            ("port show dev _", "trunk0"),
            ("port set eth", "eth1 eth2"),
            ("port add _", "eth5"),
            ("port add en", "enp8s0 enx020000000008"),
            ("port add eth5 _", "dev"),
            ("port add eth5 dev _", "trunk0"),
            ("add t bits 5 port _", "eth5"),
            ("table set trunk0 0-3 _", "auto eth1 eth2"),
            ("failback trunk0 port _", "eth1 eth2"),
        ] {
            assert_eq!(of(line), want, "{line}");
        }
    }

    #[test]
    fn settings() {
        for (line, want) in [
            (
                "set trunk0 _",
                "auto-join bits failback far-end hits hold-down interval key key-file min-links misses peers \
                 probe probe-address probe-ethertype reply-timeout role selector",
            ),
            ("set trunk0 probe _", "auto off required"),
            ("set trunk0 interval 10ms peers _", "one several"),
            ("set trunk0 hold-down _", "off"),
            ("set trunk0 key-file _", ""),
            (
                "set trunk0 bits 3 auto-join _",
                "address bus driver name none prio",
            ),
            ("set trunk0 auto-join name _", ""),
            (
                "set trunk0 auto-join name x pr",
                "prio probe probe-address probe-ethertype",
            ),
            ("set trunk0 auto-join none b", "bits"),
            ("claim _", "dev help show trunk0"),
            ("claim trunk0 _", "mark name port"),
            ("claim trunk0 port _", "eth1 eth2"),
            ("claim trunk0 port eth1 mark _", ""),
            ("claim trunk0 port eth1 mark 7 -- pi", ""),
            ("claim show _", "dev trunk0"),
            ("set trunk0 selector _", "dmac flow smac smac-dmac"),
            ("set trunk0 bits 5 failback d", "delay"),
            ("set trunk0 failback delay _", ""),
            ("port set eth1 w", "weight"),
            ("port set eth1 weight _", "auto"),
            ("add t port eth5 p", "port prio"),
            ("add t m", "min-links misses mtu"),
            ("add t mtu _", ""),
            ("monitor fail", "failback failover"),
            ("pin _", "address dev trunk0"),
            ("pin trunk0 address _", ""),
            ("stats trunk0 _", "reset"),
            ("apply _", ""),
            ("-n _", ""),
        ] {
            assert_eq!(of(line), want, "{line}");
        }
    }

    #[test]
    fn the_namespace_is_found() {
        let words = ["-j", "-n", "blue", "show", ""].map(str::to_string);
        assert_eq!(netns(&words), Some("blue"));
        assert_eq!(netns(&words[3..]), None);
    }
}
