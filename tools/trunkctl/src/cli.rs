// SPDX-License-Identifier: GPL-2.0

//! The command line: its options and commands. Help and manual pages come from here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

const SETTINGS: &str = "\
Settings, as words:
  bits M              the table has 2^M buckets, M from 0 to 16
  selector S          what selects the bucket: dmac, smac, smac-dmac, flow
  role R              shorthand for selector and far-end: server, switch
  failback P          when buckets go back: immediate, delay MS (up to a day), manual
  far-end F           what the ports lead to: auto, trunk, switch, aggregate
  min-links N         the trunk has carrier only while so many ports are act; 0: any that
                      can be used
  probe P             what decides a port's state: auto (probes once the peer has
                      answered one), required (probes), off (the carrier alone)
  interval T          time from one round of probes to the next, 1ms to 60s
  reply-timeout T     until when a reply is in time, 100us up to the interval
  misses N            rounds in a row without reply that make a port sby, 1 to 255
  hits N              rounds in a row with reply that make it act again, 1 to 255
  hold-down T|off     the longest time a port that fails often is held down, up to 3600s
  peers P             whether all ports lead to one trunk or to several: one, several
  probe-ethertype N   EtherType of probes, 0x600 to 0xffff
  probe-address MAC   destination of probes
  auto-join RULE|none devices that become ports by themselves when they appear: name
                      PATTERN (with * and ?), driver NAME, bus NAME, address MAC-PREFIX
                      (all that are given must match), and prio N for their priority
  key HEX|none        secret of both ends that signs probes: 32 hexadecimal digits,
                      visible to any user who sees the command line
  key-file PATH       reads the key from a file
A time has the unit us, ms or s; without a unit, it is in milliseconds.";

const PORT_SETTINGS: &str = "\
Settings of a port, as words:
  prio N              1 is a working port; 2 to 65535 a spare, lower numbers first
  weight N|auto       share of a working port, 1 to 65535; auto follows the link speed
  enable | disable    in use, or taken out of use without losing a frame";

const EXIT: &str = "\
Exit status:
  0  success; for diff and doctor, nothing was found
  1  the command is wrong, or names something that does not exist; for diff and doctor,
     something was found
  2  the kernel refused, or does not know trunks: the module is not loaded
  3  for apply, all is done but what needs a device that is not there; for diff, there
     is no difference beside such a device
claim with a COMMAND ends with the status of that command.";

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
    /// Run the commands of a file, one a line; - is standard input.
    #[arg(short, long, value_name = "FILE")]
    pub batch: Option<PathBuf>,
    /// With --batch, continue after a command that failed.
    #[arg(long, requires = "batch")]
    pub force: bool,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of output. All of them may also follow the command.
#[derive(Clone, Debug, Default, Args)]
pub struct Options {
    /// Print JSON: an array; for monitor, claim and pin, an object a line.
    #[arg(short, long, global = true)]
    pub json: bool,
    /// Indent JSON.
    #[arg(short, long, global = true)]
    pub pretty: bool,
    /// Print more details.
    #[arg(short, long, global = true)]
    pub details: bool,
    /// Print counters too; given twice, also those that are 0.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub statistics: u8,
    /// Print brief output, one object a line (also -br).
    #[arg(long, global = true)]
    pub brief: bool,
    /// Print each object on one line, in the words that set it.
    #[arg(short, long, global = true)]
    pub oneline: bool,
    /// Print times in UTC, instead of how long ago.
    #[arg(short, long, global = true)]
    pub timestamp: bool,
    /// Print large numbers with a unit.
    #[arg(short = 'h', long = "human", global = true)]
    pub human: bool,
    /// Use a network namespace, by its name or a path.
    #[arg(short, long, value_name = "NETNS", global = true)]
    pub netns: Option<String>,
    /// When to use colour: auto uses it on a terminal, unless NO_COLOR is set or TERM is dumb.
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
    /// Trunks; the word may be left out.
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
    /// The table, which has a port for each bucket.
    #[command(infer_subcommands = true)]
    Table {
        #[command(subcommand)]
        command: Option<TableCommand>,
    },
    /// Show counters, or with the word reset, set them to 0.
    Stats {
        /// [dev] TRUNK, and the word reset.
        #[arg(value_name = "[dev] TRUNK | reset")]
        words: Vec<String>,
        /// Print the format of the Prometheus textfile collector.
        #[arg(long)]
        prometheus: bool,
    },
    /// Print events as they happen.
    ///
    /// Without words, all events of all trunks. If events were lost, a line says so, and the present
    /// state follows.
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
    /// Hold a link of a trunk: the named port, or while it has failed, the best free spare.
    ///
    /// Frames with the mark (SO_MARK) leave by that link. Without a command, this program holds the
    /// link until it ends, and prints each change. With a command, it holds the link while that runs,
    /// prints changes on standard error, and exits with its status. For example, "trunkctl claim trunk0
    /// port eth1 mark 7 -- ping -m 7 192.0.2.1".
    ///
    /// A claim ends with the program that took it, or with the trunk. No command ends one.
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Claim {
        #[command(subcommand)]
        command: Option<ClaimCommand>,
        /// [dev] TRUNK, the port, the mark, and a name for the holder.
        #[arg(
            value_name = "[dev] TRUNK port NAME mark N [name NAME]",
            required = true
        )]
        words: Vec<String>,
        /// After --, the command to run while the link is held.
        #[arg(value_name = "COMMAND", last = true)]
        program: Vec<OsString>,
    },
    /// Pin the addresses behind a trunk in the address table of its bridge.
    ///
    /// For switches that share a server. The server's frames also arrive by the link between the
    /// switches, which is no move. So this program pins the MAC addresses of the trunk's peers to the
    /// trunk while it has a usable link to them; otherwise the bridge may find them elsewhere. It
    /// prints each change. When it ends, nothing stays pinned.
    Pin {
        /// Trunks, by default all; other addresses behind a trunk.
        #[arg(value_name = "[dev] TRUNK... [address MAC]...")]
        words: Vec<String>,
    },
    /// Show the last 256 events of each trunk, oldest first.
    History {
        /// [dev] TRUNK; by default all.
        #[arg(value_name = "[dev] TRUNK")]
        words: Vec<String>,
    },
    /// Print the configuration of trunks, for apply.
    Save {
        /// [dev] TRUNK; by default all.
        #[arg(value_name = "[dev] TRUNK")]
        words: Vec<String>,
    },
    /// Make trunks as a file describes them.
    ///
    /// Trunks that the file does not name stay as they are. A named trunk gets exactly the ports and
    /// the homes of buckets in the file; settings that are not in it stay. A trunk with an auto-join
    /// rule keeps ports that the file does not name. A device that is to become a port is brought
    /// down first. If a step fails, all steps are undone.
    ///
    /// If a device is not there, the rest is done, a warning names the device, and the exit status is
    /// 3. The device joins with its settings when it appears.
    Apply {
        /// The output of save; - is standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Only print the steps.
        #[arg(short = 'c', long)]
        dry_run: bool,
    },
    /// Print the steps that apply would take; exit with 1 if there are any, and with 3 if there are none
    /// but a device is missing.
    Diff {
        /// The output of save; - is standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Report what is wrong or unwise, with advice; exit with 1 if something was found.
    Doctor {
        /// [dev] TRUNK; by default all.
        #[arg(value_name = "[dev] TRUNK")]
        words: Vec<String>,
    },
    /// Print the script by which a shell completes commands and names.
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
        /// [dev] TRUNK; by default all.
        #[arg(value_name = "[dev] TRUNK")]
        words: Vec<String>,
        /// Print the configuration, as save does.
        #[arg(long)]
        config: bool,
    },
    /// Change settings of a trunk: all that are named, or none.
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
        /// [dev] TRUNK, then its MAC address and MTU, then settings, then for each port the word port, its
        /// name and settings.
        #[arg(value_name = "[dev] TRUNK [address MAC] [mtu N] [SETTING...] [port NAME [SETTING...]]...",
              required = true, num_args = 1..)]
        words: Vec<String>,
        /// Set devices down first that are up.
        #[arg(long)]
        down: bool,
    },
    /// Delete a trunk. Its ports are released.
    #[command(alias = "delete")]
    Del {
        /// [dev] TRUNK.
        #[arg(value_name = "[dev] TRUNK", required = true)]
        words: Vec<String>,
    },
    /// Give ports that are held back their buckets.
    Failback {
        /// [dev] TRUNK; with port, only that port.
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
        /// The ports of a trunk, or one port; by default all.
        #[arg(value_name = "dev TRUNK | NAME")]
        words: Vec<String>,
    },
    /// Change settings of a port: all that are named, or none.
    #[command(after_help = PORT_SETTINGS)]
    Set {
        /// The port, then settings.
        #[arg(value_name = "NAME SETTING...", required = true, num_args = 1..)]
        words: Vec<String>,
    },
    /// Make a device a port; it must be down, or is set down with --down.
    #[command(after_help = PORT_SETTINGS)]
    Add {
        /// The device, the trunk, then settings.
        #[arg(value_name = "NAME dev TRUNK [SETTING...]", required = true, num_args = 1..)]
        words: Vec<String>,
        /// Set the device down first if it is up.
        #[arg(long)]
        down: bool,
        /// If there is no such device, have it join when it appears.
        #[arg(long)]
        later: bool,
    },
    /// Release a port from its trunk, or forget a missing one.
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
        /// [dev] TRUNK; by default all.
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
    /// Forget the homes that the user has set.
    Reset {
        /// [dev] TRUNK.
        #[arg(value_name = "[dev] TRUNK", required = true)]
        words: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum ClaimCommand {
    /// Show claims: which socket holds which link.
    Show {
        /// [dev] TRUNK; by default all.
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

/// Options of `ip` with one dash and more than one letter, and their names for clap.
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

/// Returns arguments for clap.
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
    // The words after these are another program's command line.
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
