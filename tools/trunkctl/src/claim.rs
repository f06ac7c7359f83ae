// SPDX-License-Identifier: GPL-2.0

//! A link that this program holds as long as it runs.

use std::ffi::OsString;
use std::io::{stderr, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::event::{poll, PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{pidfd_open, pidfd_send_signal, Pid, PidfdFlags, Signal};
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::{flag, low_level};
use trunk_nl::uapi::Reason;
use trunk_nl::{Change, Claim, ClaimRequest, Named};

use crate::failure::{Failure, Result};
use crate::monitor::Format;
use crate::session::Session;
use crate::text;
use crate::time;
use crate::view::{json, ClaimView};
use crate::words::Wish;

/// What a shell adds to the number of a signal that ended a program.
const SIGNALLED: i32 = 128;

/// A line about a claim: the link that it has, then each change.
#[derive(Debug, Serialize)]
pub struct HeldView<'a> {
    /// `claim`, then `claim-moved`.
    pub event: &'static str,
    /// UTC.
    pub time: String,
    #[serde(flatten)]
    pub claim: ClaimView<'a>,
    /// For a change: the port that it had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_link: Option<Option<String>>,
    /// For a change: why it lost that port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Named<Reason>>,
}

/// Takes a claim and holds it while a program runs, whose exit status is returned; without a
/// program, until this one ends.
pub fn hold(
    session: &mut Session,
    wish: &Wish,
    program: &[OsString],
    format: &Format,
    out: &mut impl Write,
) -> Result<u8> {
    let request = ClaimRequest {
        trunk: session.trunk(&wish.trunk)?,
        port: session.port_link(&wish.port)?.ifindex,
        mark: wish.mark,
        name: wish.name.as_deref(),
    };
    let mut claim = Claim::take(session.netns(), &request)?;
    let Some((name, arguments)) = program.split_first() else {
        tell(&told(session, &claim, None, format), out)?;
        loop {
            if let Some(change) = claim.next_change(None)? {
                tell(&told(session, &claim, Some(change), format), out)?;
            }
        }
    };
    out.flush()?;
    // Standard output is the program's.
    let mut out = stderr();
    tell(&told(session, &claim, None, format), &mut out)?;
    let failed = |error| Failure::File(name.to_string_lossy().into_owned(), error);
    // Before it starts: else a signal could end this program and not that one.
    let signals = Signals::new().map_err(failed)?;
    let mut child = Command::new(name).args(arguments).spawn().map_err(failed)?;
    let watched = watch(&mut claim, &child, &signals, |claim, change| {
        tell(&told(session, claim, Some(change), format), &mut out)
    });
    let status = child.wait().map_err(failed)?;
    if watched? {
        claim.release()?;
    }
    Ok(exit_status(status))
}

/// Prints changes until the program has ended, and passes to it the signals that would end this
/// one. Returns whether there still is a claim.
fn watch(
    claim: &mut Claim,
    child: &Child,
    signals: &Signals,
    mut tell: impl FnMut(&Claim, Change) -> Result<()>,
) -> Result<bool> {
    let failed = |errno: Errno| Failure::from(std::io::Error::from(errno));
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).map_err(failed)?;
    let mut held = true;
    loop {
        let mut fds = vec![
            PollFd::new(&process, PollFlags::IN),
            PollFd::new(&signals.woken, PollFlags::IN),
        ];
        let sockets = claim.fds().into_iter().filter(|_| held);
        fds.extend(sockets.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let ended = !fds[0].revents().is_empty();
        while held {
            match claim.next_change(Some(Duration::ZERO)) {
                Ok(Some(change)) => tell(claim, change)?,
                Ok(None) => break,
                // The program goes on, and its status counts.
                Err(error) => {
                    eprintln!("{}", Failure::from(error).line().unwrap_or_default());
                    held = false;
                }
            }
        }
        if ended {
            return Ok(held);
        }
        if let Some(signal) = signals.take() {
            // It may have ended by now.
            let _ = pidfd_send_signal(&process, signal);
        }
    }
}

/// Signals that must not end this program before the one that it runs.
struct Signals {
    /// Has bytes to be read after a signal.
    woken: UnixStream,
    /// The signal to be passed on; 0 for none.
    last: Arc<AtomicUsize>,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let (woken, waker) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        let last = Arc::new(AtomicUsize::new(0));
        for number in [SIGHUP, SIGTERM] {
            flag::register_usize(number, Arc::clone(&last), number as usize)?;
            low_level::pipe::register(number, waker.try_clone()?)?;
        }
        // Signals of a terminal's keys reach all programs there.
        for number in [SIGINT, SIGQUIT] {
            flag::register_usize(number, Arc::default(), 0)?;
        }
        Ok(Self { woken, last })
    }

    /// Returns a signal to be passed on, if there is one.
    fn take(&self) -> Option<Signal> {
        while matches!((&self.woken).read(&mut [0; 16]), Ok(1..)) {}
        let number = self.last.swap(0, Ordering::Relaxed);
        Signal::from_named_raw(number.try_into().ok()?)
    }
}

/// Returns the exit status after a program, as a shell has it.
fn exit_status(status: ExitStatus) -> u8 {
    let signalled = || status.signal().map(|signal| SIGNALLED + signal);
    let status = status.code().or_else(signalled);
    status.and_then(|code| code.try_into().ok()).unwrap_or(1)
}

fn tell(text: &str, out: &mut impl Write) -> Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Returns a line about the claim, or about a change of it.
fn told(session: &mut Session, claim: &Claim, change: Option<Change>, format: &Format) -> String {
    let mut name = |ifindex| session.device_name(ifindex);
    let old_link = change.map(|change| change.old.map(&mut name));
    let view = HeldView {
        event: if change.is_some() {
            "claim-moved"
        } else {
            "claim"
        },
        time: time::utc(SystemTime::now()),
        claim: ClaimView::new(claim.state(), name),
        old_link,
        reason: change.map(|change| change.reason),
    };
    line(&view, format)
}

fn line(view: &HeldView<'_>, format: &Format) -> String {
    if format.json {
        return json(view, false);
    }
    let stamp = match format.look.timestamp {
        true => format!("[{}] ", view.time),
        false => String::new(),
    };
    let Some(old) = &view.old_link else {
        return format!("{stamp}{}\n", text::claim_words(&view.claim));
    };
    let name = |link: &Option<String>| link.clone().unwrap_or_else(|| "none".to_string());
    let peer = view
        .claim
        .peer_port
        .map(|port| format!(" peer-port {port}"));
    let reason = view.reason.filter(|reason| *reason != Reason::None);
    let reason = reason.map(|reason| format!(" ({reason})"));
    format!(
        "{stamp}{}: mark {} link {} -> {}{}{}\n",
        view.claim.trunk,
        view.claim.mark,
        name(old),
        name(&view.claim.link),
        peer.unwrap_or_default(),
        reason.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::text::Look;
    use trunk_nl::ClaimState;

    fn lines(view: &HeldView<'_>) -> (String, String) {
        let mut format = Format {
            json: false,
            look: Look::PLAIN,
        };
        let text = line(view, &format);
        format.json = true;
        (text, line(view, &format))
    }

    #[test]
    fn what_it_got_and_what_it_has_then() {
        let has = |link: Option<u32>| ClaimState {
            link,
            peer_port: link.map(|_| 0),
            ..fixtures::claim()
        };
        fn view(
            state: &ClaimState,
            old_link: Option<Option<String>>,
            reason: Option<Reason>,
        ) -> HeldView<'_> {
            HeldView {
                event: if reason.is_some() {
                    "claim-moved"
                } else {
                    "claim"
                },
                time: "2026-11-21T08:06:39.000000Z".to_string(),
                claim: ClaimView::new(state, |ifindex| format!("eth{}", ifindex - 3)),
                old_link,
                reason: reason.map(Named::Known),
            }
        }
        let (text, json) = lines(&view(&has(Some(4)), None, None));
        assert_eq!(
            text,
            "trunk0: mark 7 port eth1 link eth1 peer-port 0 name metering holder 4242\n"
        );
        assert_eq!(
            json,
            concat!(
                r#"{"event":"claim","time":"2026-11-21T08:06:39.000000Z","trunk":"trunk0","#,
                r#""mark":7,"port":"eth1","link":"eth1","peer_port":0,"name":"metering","#,
                r#""holder":4242}"#,
                "\n"
            )
        );

        let old = Some(Some("eth1".to_string()));
        let (text, json) = lines(&view(&has(None), old, Some(Reason::NoCarrier)));
        assert_eq!(text, "trunk0: mark 7 link eth1 -> none (no-carrier)\n");
        assert!(
            json.ends_with(concat!(
                r#""link":null,"peer_port":null,"name":"metering","holder":4242,"#,
                r#""old_link":"eth1","#,
                r#""reason":"no-carrier"}"#,
                "\n"
            )),
            "{json}"
        );

        let (text, json) = lines(&view(&has(Some(4)), Some(None), Some(Reason::None)));
        assert_eq!(text, "trunk0: mark 7 link none -> eth1 peer-port 0\n");
        assert!(
            json.contains(r#""old_link":null,"reason":"none""#),
            "{json}"
        );
    }

    #[test]
    fn a_programs_exit_status() {
        for (wait, want) in [(0, 0), (3 << 8, 3), (255 << 8, 255), (SIGTERM, 143)] {
            assert_eq!(exit_status(ExitStatus::from_raw(wait)), want);
        }
    }
}
