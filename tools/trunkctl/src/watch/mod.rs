// SPDX-License-Identifier: GPL-2.0

//! The live screen. Data of the kernel and keys of the user change a model, and the screen is a
//! function of the model.

mod model;
mod screen;

use std::fs::File;
use std::io::{stdin, stdout, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::DefaultTerminal;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};
use trunk_nl::{Clock, Events, Notification};

use crate::failure::{usage, Failure, Result};
use crate::session::Session;
use crate::text::Look;
use model::{Action, Key, Message, Model, Reading};

/// How often everything is read.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long nothing is read after a reading: a storm of events must not cause a storm of readings.
const PAUSE: Duration = Duration::from_millis(50);

/// How many events are read at a time.
const BATCH: usize = 1024;

/// What is watched.
#[derive(Debug)]
pub struct Options {
    /// The network namespace, by name or path.
    pub netns: Option<String>,
    /// A trunk; none for all.
    pub trunk: Option<String>,
    pub look: Look,
}

/// Shows the screen until the user ends it.
pub fn run(options: &Options) -> Result<()> {
    if !stdout().is_terminal() {
        return Err(usage("watch needs a terminal; monitor does without"));
    }
    let keyboard = keyboard()?;
    // A failure at the start is not shown on the screen.
    let mut source = Source::open(options)?;
    let model = Model::new(source.read(None)?, options.look.color);
    let signal = Arc::new(AtomicUsize::new(0));
    for number in [SIGHUP, SIGINT, SIGTERM] {
        flag::register_usize(number, Arc::clone(&signal), number as usize)?;
    }
    // Restores the terminal on a panic, too.
    let done = ratatui::try_init().map_err(Failure::from);
    let done = done
        .and_then(|terminal| Watch::new(options, model, source).run(terminal, &keyboard, &signal));
    ratatui::restore();
    done?;
    match signal.load(Ordering::Relaxed) {
        0 => {}
        number => low_level::emulate_default_handler(number as i32)?,
    }
    Ok(())
}

/// Returns the descriptor from which crossterm reads keys.
fn keyboard() -> Result<OwnedFd> {
    let none = |error| Failure::File("/dev/tty".to_string(), error);
    match stdin().is_terminal() {
        true => stdin().as_fd().try_clone_to_owned().map_err(none),
        false => File::open("/dev/tty").map(OwnedFd::from).map_err(none),
    }
}

/// The connections to the kernel.
struct Source<'a> {
    session: Session,
    events: Events,
    /// The trunk that the user asked for.
    trunk: Option<&'a str>,
}

impl<'a> Source<'a> {
    fn open(options: &'a Options) -> Result<Self> {
        let mut session = Session::open(options.netns.as_deref())?;
        let events = session.connection()?.subscribe()?;
        let trunk = options.trunk.as_deref();
        Ok(Self {
            session,
            events,
            trunk,
        })
    }

    /// Reads all trunks, and everything of the chosen one or, if that has gone, of the first.
    fn read(&mut self, chosen: Option<u32>) -> Result<Reading> {
        let groups = self.session.groups(self.trunk)?;
        let is_chosen = |ifindex| Some(ifindex) == chosen;
        let there = groups.iter().find(|group| is_chosen(group.trunk.ifindex));
        let trunk = there.or(groups.first()).map(|group| group.trunk.ifindex);
        let connection = self.session.connection()?;
        let (mut table, mut history, mut statistics) = Default::default();
        if let Some(trunk) = trunk {
            table = connection.table_get(trunk)?;
            history = connection.history_get(trunk)?;
            statistics = connection.stats_dump(Some(trunk))?;
        }
        Ok(Reading {
            clock: Clock::now(),
            groups,
            trunk,
            table,
            history,
            statistics,
        })
    }
}

/// The screen as it runs.
struct Watch<'a> {
    options: &'a Options,
    model: Model,
    /// None after a failure: the module may have been loaded again, so everything is opened again.
    source: Option<Source<'a>>,
    /// The state has changed since it was read.
    stale: bool,
    /// When everything was read last.
    read: Instant,
    /// When everything is to be read again.
    tick: Instant,
}

impl<'a> Watch<'a> {
    fn new(options: &'a Options, model: Model, source: Source<'a>) -> Self {
        let now = Instant::now();
        Self {
            options,
            model,
            source: Some(source),
            stale: false,
            read: now,
            tick: now + INTERVAL,
        }
    }

    fn run(
        mut self,
        mut terminal: DefaultTerminal,
        keyboard: &OwnedFd,
        signal: &AtomicUsize,
    ) -> Result<()> {
        loop {
            terminal.draw(|frame| screen::draw(&self.model, frame))?;
            self.wait(keyboard)?;
            if signal.load(Ordering::Relaxed) != 0 {
                return Ok(());
            }
            while event::poll(Duration::ZERO)? {
                let Some(key) = key(event::read()?) else {
                    continue; // A new size, too: it is drawn anew in any case.
                };
                match self.model.update(Message::Key(key)) {
                    Action::Quit => return Ok(()),
                    Action::Read => self.read(),
                    Action::None => {}
                }
            }
            // Events that come during a pause wait in the kernel.
            if !self.stale {
                self.take_events();
            }
            let now = Instant::now();
            if now >= self.tick || self.stale && now >= self.read + PAUSE {
                self.take_events();
                self.read();
            }
        }
    }

    /// Waits for keys, events or the time to read.
    fn wait(&self, keyboard: &OwnedFd) -> Result<()> {
        let until = match self.stale {
            true => self.tick.min(self.read + PAUSE),
            false => self.tick,
        };
        let limit = until.saturating_duration_since(Instant::now());
        let limit = Timespec {
            tv_sec: limit.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        };
        let mut fds = vec![PollFd::new(keyboard, PollFlags::IN)];
        let source = self.source.as_ref().filter(|_| !self.stale);
        fds.extend(source.map(|source| PollFd::new(&source.events, PollFlags::IN)));
        match poll(&mut fds, Some(&limit)) {
            Ok(_) | Err(Errno::INTR) => Ok(()), // A new size of the terminal is told by a signal.
            Err(errno) => Err(std::io::Error::from(errno).into()),
        }
    }

    fn take_events(&mut self) {
        for _ in 0..BATCH {
            let Some(source) = &mut self.source else {
                return;
            };
            match source.events.next_within(Some(Duration::ZERO)) {
                Ok(None) => return,
                Ok(Some(notification)) => {
                    self.stale = true;
                    if let Notification::Lost { known } = notification {
                        let count = known.map(|(_, count)| count);
                        self.model.update(Message::Lost(count));
                    }
                }
                Err(error) => self.fail(error.into()),
            }
        }
    }

    /// Reads everything.
    fn read(&mut self) {
        let source = match self.source.take() {
            Some(source) => Ok(source),
            None => Source::open(self.options),
        };
        let read = source.and_then(|mut source| {
            let reading = source.read(self.model.chosen)?;
            Ok((source, reading))
        });
        match read {
            Ok((source, reading)) => {
                self.source = Some(source);
                self.model.update(Message::Read(reading));
            }
            Err(failure) => self.fail(failure),
        }
        self.stale = false;
        self.read = Instant::now();
        // Readings after events do not delay it.
        if self.tick <= self.read {
            self.tick = self.read + INTERVAL;
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.source = None;
        let text = failure.line().unwrap_or_else(|| failure.to_string());
        self.model.update(Message::Failed(text));
    }
}

/// Returns the meaning of a key.
fn key(event: event::Event) -> Option<Key> {
    let event::Event::Key(KeyEvent {
        code,
        modifiers,
        kind: KeyEventKind::Press | KeyEventKind::Repeat,
        ..
    }) = event
    else {
        return None;
    };
    match code {
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Quit),
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
        KeyCode::Tab | KeyCode::Right => Some(Key::Next),
        KeyCode::BackTab | KeyCode::Left => Some(Key::Previous),
        KeyCode::Up => Some(Key::Up),
        KeyCode::Down => Some(Key::Down),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let press = |code, modifiers| key(event::Event::Key(KeyEvent::new(code, modifiers)));
        let plain = |code| press(code, KeyModifiers::NONE);
        assert_eq!(plain(KeyCode::Char('q')), Some(Key::Quit));
        assert_eq!(plain(KeyCode::Esc), Some(Key::Quit));
        let interrupt = press(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(interrupt, Some(Key::Quit));
        assert_eq!(plain(KeyCode::Char('c')), None);
        assert_eq!(plain(KeyCode::Tab), Some(Key::Next));
        let back = press(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(back, Some(Key::Previous));
        assert_eq!(key(event::Event::Resize(80, 24)), None);
    }
}
