// SPDX-License-Identifier: GPL-2.0

//! Errors, with texts for the user.

use std::fmt;
use std::io;

use netlink_packet_core::DecodeError;

use crate::uapi::attr;
use crate::values::shown;

/// Result of this library's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error.
#[derive(Debug)]
pub enum Error {
    /// The kernel has no generic netlink family of that name.
    FamilyNotFound(String),
    /// There is no device of that name in the namespace.
    NoSuchDevice(String),
    /// The device is not a trunk.
    NotATrunk(String),
    /// The device is not a port of a trunk.
    NotAPort(String),
    /// No device can have that name.
    BadName(String),
    /// There is no such network namespace, or no permission to enter it.
    Namespace {
        /// As the user gave it.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The kernel refused a request.
    Refused(Refusal),
    /// The data changed each time while they were read.
    Unstable,
    /// A message is longer than the socket's buffer may become.
    TooLong(usize),
    /// The kernel sent something that this library does not understand.
    Malformed(String),
    /// The socket failed.
    Io(io::Error),
}

/// Why the kernel refused a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// A number of errno.h.
    pub errno: i32,
    /// The kernel's text, if there is one.
    pub message: Option<String>,
    /// The wrong attribute, with the nests around it, as `port.priority`.
    pub attribute: Option<String>,
    /// The attribute that is required and missing.
    pub missing: Option<String>,
    /// The value of the wrong attribute, if that is an integer.
    pub value: Option<u64>,
    /// The range of the value, both ends included, if the kernel gave one.
    pub range: Option<(u64, u64)>,
}

impl Error {
    /// Returns whether the kernel refused, rather than the user made a mistake.
    pub fn is_kernel(&self) -> bool {
        match self {
            Self::NoSuchDevice(_) | Self::NotATrunk(_) | Self::NotAPort(_) | Self::BadName(_) => {
                false
            }
            Self::Namespace { source, .. } => source.kind() != io::ErrorKind::NotFound,
            _ => true,
        }
    }

    /// Returns the errno of a refusal.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused(refusal) => Some(refusal.errno),
            Self::Io(error) => error.raw_os_error(),
            _ => None,
        }
    }
}

pub(crate) fn malformed(text: impl Into<String>) -> Error {
    Error::Malformed(text.into())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FamilyNotFound(name) if name == crate::uapi::FAMILY => {
                write!(f, "Family '{name}' not found: is the {name} module loaded?")
            }
            Self::FamilyNotFound(name) => write!(f, "Family '{name}' not found"),
            Self::NoSuchDevice(name) => write!(f, "there is no device \"{name}\""),
            Self::NotATrunk(name) => write!(f, "\"{name}\" is not a trunk"),
            Self::NotAPort(name) => write!(f, "\"{name}\" is not a port of a trunk"),
            Self::BadName(name) => write!(f, "\"{name}\" cannot be the name of a device"),
            Self::Namespace { name, source } => {
                write!(f, "network namespace \"{name}\": {}", plain(source))
            }
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unstable => f.write_str("it changes faster than it can be read"),
            Self::TooLong(length) => write!(
                f,
                "a message of {length} bytes is more than the socket may hold: \
                 net.core.wmem_max is the limit without CAP_NET_ADMIN"
            ),
            Self::Malformed(text) => write!(f, "the kernel's answer is not understood: {text}"),
            Self::Io(error) => f.write_str(&plain(error)),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Namespace { source, .. } | Self::Io(source) => Some(source),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        malformed(error.to_string())
    }
}

impl From<rustix::io::Errno> for Error {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(attribute), Some(value), Some((min, max))) =
            (&self.attribute, self.value, self.range)
        {
            if !(min..=max).contains(&value) {
                let name = attribute.rsplit('.').next().unwrap_or_default();
                let [value, min, max] = [value, min, max].map(|value| shown(name, value));
                return write!(f, "{attribute}: {value} is out of range {min}..{max}");
            }
        }
        match (&self.message, &self.attribute, &self.missing) {
            (Some(message), Some(attribute), _) if !names(message, attribute) => {
                write!(f, "{attribute}: {message}")
            }
            (Some(message), ..) => f.write_str(message),
            (None, _, Some(missing)) => write!(f, "{missing} is missing"),
            (None, Some(attribute), None) => {
                write!(f, "{attribute}: {}", describe(self.errno))
            }
            (None, None, None) => f.write_str(&describe(self.errno)),
        }
    }
}

/// Returns whether the message begins with the attribute's name, with or without the nests around
/// it, or with the name of an attribute that the request does not have.
fn names(message: &str, attribute: &str) -> bool {
    let subject = message.split([':', ' ']).next().unwrap_or_default();
    let own = subject == attribute || attribute.ends_with(&format!(".{subject}"));
    let other = message.starts_with(&format!("{subject}:")) && attr::NAMES.contains(&subject);
    !subject.is_empty() && (own || other)
}

/// Returns the C library's text for an errno.
pub fn describe(errno: i32) -> String {
    plain(&io::Error::from_raw_os_error(errno))
}

/// Returns the error's text, without the number that the standard library adds.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(refusal: Refusal) -> String {
        Error::Refused(refusal).to_string()
    }

    #[test]
    fn a_range_is_told_in_place_of_the_kernels_words() {
        let refusal = Refusal {
            errno: libc::ERANGE,
            message: Some("integer out of range".into()),
            attribute: Some("bits".into()),
            value: Some(17),
            range: Some((0, 16)),
            ..Default::default()
        };
        assert_eq!(text(refusal), "bits: 17 is out of range 0..16");
    }

    #[test]
    fn an_attribute_is_named_once() {
        let refusal = |message: &str, attribute: &str| Refusal {
            errno: libc::EINVAL,
            message: Some(message.into()),
            attribute: Some(attribute.into()),
            ..Default::default()
        };
        for (message, attribute, want) in [
            ("role: not with selector", "role", "role: not with selector"),
            ("priority: no", "port.priority", "priority: no"),
            ("port.priority: no", "port.priority", "port.priority: no"),
            ("not here", "port.ifindex", "port.ifindex: not here"),
            ("ports: no", "port", "port: ports: no"),
            (
                "reply-timeout: longer than the interval",
                "interval",
                "reply-timeout: longer than the interval",
            ),
        ] {
            assert_eq!(text(refusal(message, attribute)), want);
        }
    }

    #[test]
    fn a_message_that_is_too_long() {
        assert_eq!(
            Error::TooLong(300_000).to_string(),
            "a message of 300000 bytes is more than the socket may hold: net.core.wmem_max is \
             the limit without CAP_NET_ADMIN"
        );
    }

    #[test]
    fn without_words_the_errno_speaks() {
        let refusal = Refusal {
            errno: libc::EPERM,
            ..Default::default()
        };
        assert_eq!(text(refusal), "Operation not permitted");
        let refusal = Refusal {
            errno: libc::EINVAL,
            missing: Some("port.ifindex".into()),
            ..Default::default()
        };
        assert_eq!(text(refusal), "port.ifindex is missing");
    }
}
