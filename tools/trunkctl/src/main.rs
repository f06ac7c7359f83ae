// SPDX-License-Identifier: GPL-2.0

//! trunkctl: shows, sets and watches trunks.

#![forbid(unsafe_code)]

mod claim;
mod cli;
mod commands;
mod complete;
mod config;
mod doctor;
mod failure;
#[cfg(test)]
mod fixtures;
mod man;
mod monitor;
mod pin;
mod plan;
mod prometheus;
mod session;
mod text;
mod time;
mod view;
#[cfg(feature = "watch")]
mod watch;
mod words;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Parser;

use failure::{Failure, Result};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut out = BufWriter::new(io::stdout().lock());
    let done = run(words, &mut out).and_then(|status| {
        out.flush()?;
        Ok(status)
    });
    // The output before a failure comes first.
    let flushed = out.flush();
    let status = match done {
        Ok(status) => status,
        Err(failure) => {
            if let Some(line) = failure.line() {
                eprintln!("{line}");
            }
            failure.status()
        }
    };
    drop(flushed);
    ExitCode::from(status)
}

fn run(words: Vec<String>, out: &mut impl Write) -> Result<u8> {
    // Not by clap: the words to be completed may be anything.
    if let [_, command, rest @ ..] = &words[..] {
        if command == "__complete" {
            let links = session::Session::open(complete::netns(rest))?
                .links
                .list()?;
            for word in complete::candidates(rest, &links) {
                writeln!(out, "{word}")?;
            }
            return Ok(0);
        }
    }
    match cli::Cli::try_parse_from(cli::normalized(words)) {
        Ok(cli) => commands::run(cli, out),
        Err(error) => {
            // Help and version are no errors; they go to standard output.
            let status = if error.use_stderr() { 1 } else { 0 };
            error.print()?;
            Err(Failure::Said(status))
        }
    }
}
