// SPDX-License-Identifier: GPL-2.0

//! Manual pages, from the definitions of the command line.

use std::io;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::Cli;

/// Returns the names and contents of files: the program's page, and one for each of its commands.
pub fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    collect(&command, "trunkctl", &mut pages)?;
    Ok(pages)
}

fn collect(
    command: &clap::Command,
    name: &str,
    pages: &mut Vec<(String, Vec<u8>)>,
) -> io::Result<()> {
    let whole = name == "trunkctl";
    let mut text = b".\\\" SPDX-License-Identifier: GPL-2.0\n".to_vec();
    // The options of all commands are on the program's page.
    let own = command.clone().mut_args(|argument| {
        let hidden = argument.is_hide_set() || (argument.is_global_set() && !whole);
        argument.hide(hidden)
    });
    Man::new(own)
        .title(name)
        .section("8")
        .manual("trunk")
        .source("")
        .render(&mut text)?;
    let text = String::from_utf8_lossy(&text).replace(".SH EXTRA", ".SH NOTES");
    // No line ends with blanks, which editors remove.
    let mut lines: Vec<_> = text.lines().map(str::trim_end).collect();
    if !whole {
        lines.extend([
            ".SH SEE ALSO",
            "\\fBtrunkctl\\fR(8), also for the options that all commands have",
        ]);
    }
    pages.push((format!("{name}.8"), (lines.join("\n") + "\n").into_bytes()));
    for inner in command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
    {
        collect(inner, &format!("{name}-{}", inner.get_name()), pages)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    /// `trunkctl man Documentation/man` writes the pages.
    #[test]
    fn pages_are_up_to_date() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Documentation/man");
        let pages = pages().unwrap();
        let there: BTreeSet<_> = fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let names: BTreeSet<_> = pages.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(there, names);
        for (name, want) in pages {
            let got = fs::read(directory.join(&name)).unwrap();
            assert!(got == want, "{name} is not what its definition says");
        }
    }
}
