// SPDX-License-Identifier: GPL-2.0

//! The command line: its options and commands. Help and manual pages are made from this.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

const SETTINGS: &str = "\
Settings, as words:
  bits M              the table has 2^M buckets, M from 0 to 16
  selector S          what picks the bucket: dmac, smac, smac-dmac, flow
  role R              shorthand for selector and rx-group: server, switch
  failback P          when buckets go back: immediate, delay MS (up to a day), manual
  rx-group G          ports that broadcasts are taken from: auto, one, all
  probe P             what a link goes by: auto (by probes once the peer has
                      answered one), required (by probes), off (by carrier alone)
  interval T          from one round of probes to the next, 1ms to 60s
  reply-timeout T     how long a reply is waited for, 100us up to the interval
  misses N            rounds in a row without reply that make a port sby, 1 to 255
  hits N              rounds in a row with reply that make it act again, 1 to 255
  hold-down T|off     the longest that a port which fails often is held down, up to 3600s
  peers P             all ports lead to one trunk, or to several: one, several
  probe-ethertype N   EtherType of probes, 0x600 to 0xffff
  probe-address MAC   where probes are sent to
  auto-join RULE|none devices that become ports by themselves when they appear: name
                      PATTERN (with * and ?), driver NAME, bus NAME, address MAC-PREFIX,
                      all of those given, and prio N for the priority they get
  key HEX|none        what both ends know, to tell true probes from forged ones: 32
                      hexadecimal digits, which whoever sees the command line sees too
  key-file PATH       the same, read from a file
Times have a unit, us, ms or s; without one they are of milliseconds.";

const PORT_SETTINGS: &str = "\
Settings of a port, as words:
  prio N              1 is a working port; 2 to 65535 a spare, lower numbers first
  weight N|auto       share of a working port, 1 to 65535; auto is by link speed
  enable | disable    in use, or taken out of use without losing a frame";

const EXIT: &str = "\
Exit status:
  0  done; for diff and doctor, nothing was found
  1  the command is wrong, or names what is not there; for diff and doctor, something was found
  2  the kernel refused, or does not know trunks: the module is not loaded
claim with a COMMAND ends with the status of that.";

/// Shows, sets and watches trunks: aggregates of network devices that choose a link for each frame
/// by a table.
#[derive(Debug, Parser)]
#[command(
    name = "trunkctl",
    version,
    disable_help_flag = true,
    infer_subcommands = true,
    after_help = EXIT
)]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,
    /// Carry out the commands of a file, one a line; - is standard input.
    #[arg(short, long, value_name = "FILE")]
    pub batch: Option<PathBuf>,
    /// With --batch, go on after a command that failed.
    #[arg(long, requires = "batch")]
    pub force: bool,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// How things are shown. All of these may follow the command too.
#[derive(Clone, Debug, Default, Args)]
pub struct Options {
    /// As JSON: always an array; of monitor, claim and pin, an object a line.
    #[arg(short, long, global = true)]
    pub json: bool,
    /// JSON for people: indented.
    #[arg(short, long, global = true)]
    pub pretty: bool,
    /// More details.
    #[arg(short, long, global = true)]
    pub details: bool,
    /// Counters too; twice, those that are 0 as well.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub statistics: u8,
    /// The least, one object a line (also -br).
    #[arg(long, global = true)]
    pub brief: bool,
    /// Each object on one line, as words that could be set.
    #[arg(short, long, global = true)]
    pub oneline: bool,
    /// When things happened, in UTC, instead of how long ago.
    #[arg(short, long, global = true)]
    pub timestamp: bool,
    /// Large numbers with a unit.
    #[arg(short = 'h', long = "human", global = true)]
    pub human: bool,
    /// The network namespace: its name, or a path.
    #[arg(short, long, value_name = "NETNS", global = true)]
    pub netns: Option<String>,
    /// When to use colour; auto does on a terminal, unless NO_COLOR is set or TERM is dumb.
    #[arg(
        long,
        value_name = "WHEN",
        global = true,
        default_value = "auto",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "always"
    )]
    pub color: When,
    /// Print help.
    #[arg(long, global = true, action = ArgAction::HelpShort)]
    help: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal.
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(flatten)]
    Trunk(TrunkCommand),
    /// Trunks; the word may be left out, so the pages of its commands say all.
    #[command(name = "trunk", infer_subcommands = true, hide = true)]
    TrunkObject {
        #[command(subcommand)]
        command: Option<TrunkCommand>,
    },
    /// Ports of trunks.
    #[command(infer_subcommands = true)]
    Port {
        #[command(subcommand)]
        command: Option<PortCommand>,
    },
    /// The table that says which bucket leaves by which port.
    #[command(infer_subcommands = true)]
    Table {
        #[command(subcommand)]
        command: Option<TableCommand>,
    },
    /// Show counters, or with the word reset, have them begin at 0.
    Stats {
        /// [dev] TRUNK, and the word reset.
        #[arg(value_name = "[dev] TRUNK | reset")]
        words: Vec<String>,
        /// In the format of Prometheus, for the textfile collector.
        #[arg(long)]
        prometheus: bool,
    },
    /// Tell events as they happen.
    ///
    /// Without words, all events of all trunks. If some were lost, that is told, followed by the
    /// state of things.
    Monitor {
        /// all, port, failover, failback, table, config, peer, claim; dev TRUNK.
        #[arg(value_name = "EVENTS | dev TRUNK")]
        words: Vec<String>,
    },
    /// Show a live screen: ports, rates, the table, the last events.
    ///
    /// q, Esc or Ctrl-C ends it, Tab chooses another trunk, Up and Down scroll the ports.
    Watch {
        /// [dev] TRUNK.
        #[arg(value_name = "[dev] TRUNK")]
        words: Vec<String>,
    },
    /// Hold a link of a trunk: the port named, or while that fails, the best free spare.
    ///
    /// Frames with the mark (SO_MARK) leave by that link. Without a command it is held until this
    /// program ends, and each change of it is told. A command is run meanwhile; its exit status is
    /// that of this program, which then tells changes on standard error. For example, "trunkctl claim
    /// trunk0 port eth1 mark 7 -- ping -m 7 192.0.2.1".
    ///
    /// A claim ends with the program that took it, and in no other way, so there is no command to
    /// end one.
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Claim {
        #[command(subcommand)]
        command: Option<ClaimCommand>,
        /// [dev] TRUNK, the port, the mark, and what the holder is to be called.
        #[arg(
            value_name = "[dev] TRUNK port NAME mark N [name NAME]",
            required = true
        )]
        words: Vec<String>,
        /// After --, what is run while the link is held.
        #[arg(value_name = "COMMAND", last = true)]
        program: Vec<OsString>,
    },
    /// Keep what is behind a trunk there, in the address table of the bridge that it is a port of.
    ///
    /// For switches that share a server. The server's frames come in by the link between the switches
    /// too, which is no move: so the MAC addresses of the trunk's peers are pinned to it while it has
    /// a usable link to them. When it has none, the bridge is free to find them elsewhere. Each change
    /// is told. When this program ends, nothing stays pinned.
    Pin {
        /// Trunks, all of them if none is named; other addresses behind a trunk.
        #[arg(value_name = "[dev] TRUNK... [address MAC]...")]
        words: Vec<String>,
    },
    /// Show the last 256 events of each trunk, oldest first.
    History {
        /// [dev] TRUNK; all of them if none is named.
        #[arg(value_name = "[dev] TRUNK")]
        words: Vec<String>,
    },
    /// Print the configuration of trunks, for apply.
    Save {
        /// [dev] TRUNK; all of them if none is named.
        #[arg(value_name = "[dev] TRUNK")]
        words: Vec<String>,
    },
    /// Make the trunks of a file as it says.
    ///
    /// Trunks that the file does not name stay as they are. Of those it names, the ports and the
    /// buckets with a home are just those of the file; settings it does not name stay. A trunk with
    /// a rule for devices to join by themselves keeps ports that the file does not name. A device
    /// that is to become a port is set down first. If a step fails, all are undone.
    Apply {
        /// What save printed; - is standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Only print the steps.
        #[arg(short = 'c', long)]
        dry_run: bool,
    },
    /// Print the steps that apply would take; exit with 1 if there are any.
    Diff {
        /// What save printed; - is standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Look for what is wrong or unwise, and say what to do; exit with 1 if there is such.
    Doctor {
        /// [dev] TRUNK; all of them if none is named.
        #[arg(value_name = "[dev] TRUNK")]
        words: Vec<String>,
    },
    /// Print the script that has a shell complete commands and names.
    ///
    /// For bash, "source <(trunkctl completion bash)" in its start-up file. For zsh, a file _trunkctl
    /// in a directory of fpath. For fish, a file trunkctl.fish in ~/.config/fish/completions.
    Completion { shell: Shell },
    /// Write the manual pages into a directory.
    #[command(hide = true)]
    Man { directory: PathBuf },
}

#[derive(Debug, Subcommand)]
pub enum TrunkCommand {
    /// Show trunks.
    Show {
        /// [dev] TRUNK; all of them if none is named.
        #[arg(value_name = "[dev] TRUNK")]
        words: Vec<String>,
        /// As the configuration that save prints.
        #[arg(long)]
        config: bool,
    },
    /// Change settings of a trunk: all of those named, or none.
    #[command(after_help = SETTINGS)]
    Set {
        /// [dev] TRUNK, then settings.
        #[arg(value_name = "[dev] TRUNK SETTING...", required = true, num_args = 1..)]
        words: Vec<String>,
    },
    /// Make a trunk, with settings and ports; all or nothing.
    ///
    /// For example, "trunkctl add trunk0 bits 6 selector flow port eth1 port eth2 prio 2".
    #[command(after_help = concat_settings())]
    Add {
        /// [dev] TRUNK, then settings, then for each port the word port, its name and settings.
        #[arg(value_name = "[dev] TRUNK [SETTING...] [port NAME [SETTING...]]...",
              required = true, num_args = 1..)]
        words: Vec<String>,
    },
    /// Delete a trunk. Its ports are released.
    #[command(alias = "delete")]
    Del {
        /// [dev] TRUNK.
        #[arg(value_name = "[dev] TRUNK", required = true)]
        words: Vec<String>,
    },
    /// Give ports that wait for them their buckets back.
    Failback {
        /// [dev] TRUNK, or only a port of it.
        #[arg(value_name = "[dev] TRUNK [port NAME]", required = true)]
        words: Vec<String>,
    },
}

fn concat_settings() -> String {
    format!("{SETTINGS}\n\n{PORT_SETTINGS}")
}

#[derive(Debug, Subcommand)]
pub enum PortCommand {
    /// Show ports.
    Show {
        /// Of a trunk, or one port.
        #[arg(value_name = "dev TRUNK | NAME")]
        words: Vec<String>,
    },
    /// Change settings of a port: all of those named, or none.
    #[command(after_help = PORT_SETTINGS)]
    Set {
        /// The port, then settings.
        #[arg(value_name = "NAME SETTING...", required = true, num_args = 1..)]
        words: Vec<String>,
    },
    /// Make a device a port; it has to be down.
    #[command(after_help = PORT_SETTINGS)]
    Add {
        /// The device, the trunk, then settings.
        #[arg(value_name = "NAME dev TRUNK [SETTING...]", required = true, num_args = 1..)]
        words: Vec<String>,
    },
    /// Release a port from its trunk.
    #[command(alias = "delete")]
    Del {
        /// The port.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum TableCommand {
    /// Show tables as maps; with -o, -d or -s, a bucket a line.
    Show {
        /// [dev] TRUNK; all of them if none is named.
        #[arg(value_name = "[dev] TRUNK")]
        words: Vec<String>,
    },
    /// Set homes of buckets; frames see all of the change or none.
    Set {
        /// [dev] TRUNK, then buckets, each with a working port, or auto.
        #[arg(value_name = "[dev] TRUNK BUCKET[-BUCKET] PORT|auto",
              required = true, num_args = 1..)]
        words: Vec<String>,
    },
    /// Forget what homes the user has set.
    Reset {
        /// [dev] TRUNK.
        #[arg(value_name = "[dev] TRUNK", required = true)]
        words: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum ClaimCommand {
    /// Show who holds which link.
    Show {
        /// [dev] TRUNK; all of them if none is named.
        #[arg(value_name = "[dev] TRUNK")]
        words: Vec<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Options of `ip` that are longer than a letter after one dash, as clap knows them.
const LONG: [(&str, &str); 17] = [
    ("-br", "--brief"),
    ("-brief", "--brief"),
    ("-json", "--json"),
    ("-pretty", "--pretty"),
    ("-details", "--details"),
    ("-stats", "--statistics"),
    ("-statistics", "--statistics"),
    ("-oneline", "--oneline"),
    ("-timestamp", "--timestamp"),
    ("-ts", "--timestamp"),
    ("-tshort", "--timestamp"),
    ("-human", "--human"),
    ("-netns", "--netns"),
    ("-batch", "--batch"),
    ("-force", "--force"),
    ("-help", "--help"),
    ("-Version", "--version"),
];

/// Arguments as clap is to see them.
pub fn normalized(words: impl IntoIterator<Item = String>) -> Vec<String> {
    let rewrite = |word: String| {
        if let Some(rest) = word.strip_prefix("-color") {
            return format!("--color{rest}");
        }
        match LONG.iter().find(|(short, _)| *short == word) {
            Some((_, long)) => long.to_string(),
            None => word,
        }
    };
    let mut words = words.into_iter();
    // What follows these is another program's command line.
    let mut own: Vec<_> = words
        .by_ref()
        .map_while(|word| (word != "--").then(|| rewrite(word)))
        .collect();
    let others: Vec<_> = words.collect();
    if !others.is_empty() {
        own.push("--".to_string());
        own.extend(others);
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        let words = line.split_whitespace().map(str::to_string);
        Cli::try_parse_from(normalized(words))
    }

    #[test]
    fn options_are_those_of_ip() {
        let cli = parse("trunkctl -br -j -p -d -s -s -o -ts -h -n blue show").unwrap();
        let o = cli.options;
        assert!(o.brief && o.json && o.pretty && o.details && o.oneline && o.timestamp && o.human);
        assert_eq!((o.statistics, o.netns.as_deref()), (2, Some("blue")));
        let color = |line| parse(line).unwrap().options.color;
        assert_eq!(color("trunkctl show"), When::Auto);
        assert_eq!(color("trunkctl -color show"), When::Always);
        assert_eq!(color("trunkctl show --color=never"), When::Never);
    }

    #[test]
    fn a_claim_is_taken_for_a_command_with_options_of_its_own() {
        let of = |line| match parse(line).unwrap().command {
            Some(Command::Claim {
                command: None,
                words,
                program,
            }) => (words.join(" "), program),
            other => panic!("{line}: {other:?}"),
        };
        let line = "trunkctl claim dev trunk0 port eth1 mark 7 -j -- ls -br -color --json";
        let (words, program) = of(line);
        assert_eq!(words, "dev trunk0 port eth1 mark 7");
        assert_eq!(program, ["ls", "-br", "-color", "--json"]);
        assert!(of("trunkctl claim trunk0 port eth1 mark 7").1.is_empty());
        for line in ["trunkctl claim show", "trunkctl claim show trunk0"] {
            let command = parse(line).unwrap().command.unwrap();
            let Command::Claim { command, .. } = command else {
                panic!("{line}");
            };
            assert!(matches!(command, Some(ClaimCommand::Show { .. })), "{line}");
        }
        assert!(parse("trunkctl claim").is_err());
    }

    #[test]
    fn commands_may_be_short_and_the_object_left_out() {
        for line in [
            "trunkctl sh trunk0",
            "trunkctl trunk show trunk0",
            "trunkctl -j show dev trunk0",
            "trunkctl show -j trunk0",
        ] {
            let command = parse(line).unwrap().command.unwrap();
            let show = match command {
                Command::Trunk(command) => command,
                Command::TrunkObject { command } => command.unwrap(),
                _ => panic!("{line}"),
            };
            assert!(matches!(show, TrunkCommand::Show { .. }), "{line}");
        }
        assert!(matches!(
            parse("trunkctl port").unwrap().command,
            Some(Command::Port { command: None })
        ));
        assert!(matches!(
            parse("trunkctl table").unwrap().command,
            Some(Command::Table { command: None })
        ));
        for line in [
            "trunkctl history",
            "trunkctl apply -c f",
            "trunkctl apply f",
        ] {
            let dry = match parse(line).unwrap().command {
                Some(Command::History { words }) => {
                    assert!(words.is_empty());
                    continue;
                }
                Some(Command::Apply { dry_run, .. }) => dry_run,
                other => panic!("{line}: {other:?}"),
            };
            assert_eq!(dry, line.contains("-c"));
        }
        for line in ["trunkctl s", "trunkctl nonsense", "trunkctl set"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
