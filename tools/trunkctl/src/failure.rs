// SPDX-License-Identifier: GPL-2.0

//! Failures of a command: their texts and exit statuses.

use std::fmt;
use std::io;

use trunk_nl::Error;

pub type Result<T, E = Failure> = std::result::Result<T, E>;

#[derive(Debug)]
pub enum Failure {
    /// The command is wrong, or names something that does not exist.
    Usage(String),
    /// A call of the library failed.
    Netlink(Error),
    /// The reader of the output has ended.
    Pipe,
    /// A file could not be read or written.
    File(String, io::Error),
    /// A failure, and another one while it was undone.
    Undo(Box<Failure>, Box<Failure>),
    /// The failure has been printed already.
    Said(u8),
}

pub fn usage(text: impl Into<String>) -> Failure {
    Failure::Usage(text.into())
}

impl Failure {
    /// Returns the exit status.
    pub fn status(&self) -> u8 {
        match self {
            Self::Pipe => 0,
            Self::Usage(_) | Self::File(..) => 1,
            Self::Netlink(error) if error.is_kernel() => 2,
            Self::Netlink(_) => 1,
            Self::Undo(first, _) => first.status(),
            Self::Said(status) => *status,
        }
    }

    /// Returns the line to print; none if there is nothing to print.
    pub fn line(&self) -> Option<String> {
        let text = match self {
            Self::Pipe | Self::Said(_) => return None,
            Self::Netlink(error @ Error::Refused(_)) => {
                let text = error.to_string();
                format!("trunk: {}", text.strip_prefix("trunk: ").unwrap_or(&text))
            }
            other => other.to_string(),
        };
        let end = if text.ends_with(['.', '?', '!']) {
            ""
        } else {
            "."
        };
        Some(format!("Error: {text}{end}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            Self::Netlink(error) => error.fmt(f),
            Self::Pipe => f.write_str("nobody reads the output"),
            Self::File(name, error) => write!(f, "{name}: {error}"),
            Self::Undo(first, second) => write!(f, "{first}; undoing it failed, too: {second}"),
            Self::Said(_) => Ok(()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Netlink(error)
    }
}

/// An error of standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Pipe,
            _ => Self::File("standard output".to_string(), error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunk_nl::Refusal;

    fn refused(errno: i32, message: Option<&str>) -> Failure {
        Failure::Netlink(Error::Refused(Refusal {
            errno,
            message: message.map(str::to_string),
            ..Default::default()
        }))
    }

    #[test]
    fn lines_and_statuses() {
        let own = "trunk: only an Ethernet device can be a port";
        for (failure, line, status) in [
            (
                refused(22, Some("bits: 17 is out of range 0..16")),
                "Error: trunk: bits: 17 is out of range 0..16.",
                2,
            ),
            (
                refused(22, Some(own)),
                "Error: trunk: only an Ethernet device can be a port.",
                2,
            ),
            (
                refused(1, None),
                "Error: trunk: Operation not permitted.",
                2,
            ),
            (
                Error::FamilyNotFound("trunk".into()).into(),
                "Error: Family 'trunk' not found: is the trunk module loaded?",
                2,
            ),
            (
                Error::NoSuchDevice("trunk9".into()).into(),
                "Error: there is no device \"trunk9\".",
                1,
            ),
            (
                usage("bits is named twice"),
                "Error: bits is named twice.",
                1,
            ),
        ] {
            assert_eq!(failure.line().as_deref(), Some(line));
            assert_eq!(failure.status(), status);
        }
        let pipe = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((pipe.line(), pipe.status()), (None, 0));
    }
}
