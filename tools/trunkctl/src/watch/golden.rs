// SPDX-License-Identifier: GPL-2.0

//! The exact screen of the fixtures, and the changes of the model.

use ratatui::backend::TestBackend;
use ratatui::Terminal;

use super::super::model::{Action, Key, Message, Reading, LEAST};
use super::*;
use crate::fixtures;
use trunk_nl::{Named, Statistics};

const SECOND: u64 = 1_000_000_000;

/// Returns the fixtures' trunk, so many ns later.
fn reading(later: u64) -> Reading {
    let state = |new: State, reason: Reason| Event {
        time: 992 * SECOND,
        port: Some(5),
        port_name: Some("eth2".into()),
        old_state: Some(Named::Known(State::Act)),
        new_state: Some(Named::Known(new)),
        reason: Some(Named::Known(reason)),
        ..fixtures::event(EventKind::PortState)
    };
    let clock = fixtures::clock();
    let (monotonic, real) = (clock.monotonic(), clock.wall(clock.monotonic()));
    let real = real.duration_since(std::time::UNIX_EPOCH).unwrap();
    Reading {
        clock: Clock::at(monotonic + later, real.as_nanos() as u64 + later),
        groups: vec![fixtures::group()],
        trunk: Some(3),
        table: fixtures::table(),
        history: vec![state(State::Sby, Reason::Disabled), fixtures::failover()],
        statistics: fixtures::statistics(),
    }
}

fn model() -> Model {
    Model::new(reading(0), true)
}

/// Of a port, and all that came before it, a second later: a number of frames of 100 bytes each.
fn after(reading: &mut Reading, frames: u64) {
    for Statistics { counters, .. } in &mut reading.statistics {
        let add = |counter: &mut Option<u64>, count| *counter = counter.map(|old| old + count);
        add(&mut counters.tx_packets, frames);
        add(&mut counters.tx_bytes, frames * 100);
        add(&mut counters.rx_packets, frames / 2);
        add(&mut counters.rx_bytes, frames / 2 * 100);
    }
}

fn buffer(model: &Model, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(model, frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// Returns the screen's lines, without blanks at their ends.
fn screen(model: &Model, width: u16, height: u16) -> Vec<String> {
    let buffer = buffer(model, width, height);
    let symbols: Vec<_> = buffer.content.iter().map(|cell| cell.symbol()).collect();
    let lines = symbols.chunks(width.into());
    lines
        .map(|line| line.concat().trim_end().to_string())
        .collect()
}

#[track_caller]
fn assert_screen(model: &Model, width: u16, height: u16, want: &str) {
    let got = screen(model, width, height);
    let want: Vec<_> = want.trim_start_matches('\n').lines().collect();
    assert_eq!(got, want, "\n{}\n", got.join("\n"));
}

#[test]
fn a_failed_port_with_its_stand_in() {
    let mut model = model();
    let mut later = reading(2 * SECOND);
    after(&mut later, 12_345);
    model.update(Message::Read(later));
    assert_screen(
        &model,
        80,
        24,
        r#"
trunk0                                                   2026-11-21 08:06:41 UTC
redundancy degraded  ports 3 act 2  tx 6.1k pps 4.9M bps  rx 3.0k pps 2.4M bps
bits 3 selector dmac role server failback delay 2000 far-end auto
Ports ──────────────────────────────────────────────────────────────────────────
  PORT PRIO STATE REASON   USE FOR  HOMES CARRIES TX-PPS TX-BPS RX-PPS RX-BPS
A eth1    1 act   -        yes -        5       5   6.1k   4.9M   3.0k   2.4M
B eth2    1 sby   disabled no  -        3       0   6.1k   4.9M   3.0k   2.4M
C eth3    2 act   -        yes eth2     0       3   6.1k   4.9M   3.0k   2.4M
Buckets 8 ' carried by another than its home * home set by the user ────────────
     0  A C'A C'A*A*A C'
Events ─────────────────────────────────────────────────────────────────────────
08:06:31.000 eth2 act -> sby (disabled)
08:06:32.001 failover of eth2 to eth3 (no-carrier, 3 buckets, switched in 1.8us)










q quit
"#,
    );
}

#[test]
fn wide_and_a_day_later() {
    let model = Model::new(reading(86_400 * SECOND), true);
    assert_screen(
        &model,
        120,
        16,
        r#"
trunk0                                                                                           2026-11-22 08:06:39 UTC
redundancy degraded  ports 3 act 2  tx - pps - bps  rx - pps - bps
bits 3 selector dmac role server failback delay 2000 far-end auto
Ports ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  PORT  PRIO  STATE  REASON    IN-USE  STANDS-IN-FOR  HOMES  CARRIES  TX-PPS  TX-BPS  RX-PPS  RX-BPS
A eth1     1  act    -         yes     -                  5        5       -       -       -       -
B eth2     1  sby    disabled  no      -                  3        0       -       -       -       -
C eth3     2  act    -         yes     eth2               0        3       -       -       -       -
Buckets 8 ' carried by another than its home * home set by the user ────────────────────────────────────────────────────
     0  A C'A C'A*A*A C'
Events ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
11-21 08:06  eth2 act -> sby (disabled)
11-21 08:06  failover of eth2 to eth3 (no-carrier, 3 buckets, switched in 1.8us)


q quit
"#,
    );
}

#[test]
fn no_ports() {
    let mut reading = reading(0);
    reading.groups[0].ports.clear();
    for bucket in &mut reading.table {
        (bucket.home, bucket.port, bucket.user_set) = (None, None, false);
    }
    reading.groups[0].trunk.redundancy = Named::Known(Redundancy::None);
    reading.groups[0].link.carrier = false;
    reading.history.clear();
    assert_screen(
        &Model::new(reading, true),
        80,
        12,
        r#"
trunk0                                                   2026-11-21 08:06:39 UTC
redundancy none  ports 0 act 0  no-carrier  tx - pps - bps  rx - pps - bps
bits 3 selector dmac role server failback delay 2000 far-end auto
Ports ──────────────────────────────────────────────────────────────────────────
none

Buckets 8 ──────────────────────────────────────────────────────────────────────
     0  - - - - - - - -
Events ─────────────────────────────────────────────────────────────────────────


q quit
"#,
    );
}

fn without_trunks() -> Reading {
    Reading {
        groups: Vec::new(),
        trunk: None,
        ..reading(0)
    }
}

#[test]
fn no_trunk() {
    let mut model = Model::new(without_trunks(), true);
    assert_screen(
        &model,
        80,
        5,
        r#"
There is no trunk. One is made by, for example:

    trunkctl add trunk0 port eth1 port eth2

q quit
"#,
    );
    for key in [Key::Next, Key::Previous, Key::Up, Key::Down] {
        assert_eq!(model.update(Message::Key(key)), Action::None);
    }
}

/// Returns 64 ports with long names, and a table of so many bits. Each port carries its share, but
/// the first one also carries that of another.
fn many(bits: u32) -> Reading {
    let mut reading = reading(0);
    let group = &mut reading.groups[0];
    let model = group.ports[0].clone();
    let port = |id: u32| Port {
        ifindex: 100 + id,
        ifname: format!("enp129s0f{id}np{id}"),
        id,
        homes: (1 << bits) / 64,
        buckets: (1 << bits) / 64,
        ..model.clone()
    };
    group.ports = (0..64).map(port).collect();
    group.trunk.bits = bits;
    let bucket = |index: u32| Bucket {
        index,
        home: Some(100 + index % 64),
        port: Some(100 + index % 64 % 63),
        user_set: false,
        tx_packets: 0,
        tx_bytes: 0,
    };
    reading.table = (0..1 << bits).map(bucket).collect();
    reading
}

#[test]
fn many_ports() {
    let mut model = Model::new(many(7), true);
    assert_screen(
        &model,
        80,
        24,
        r#"
trunk0                                                   2026-11-21 08:06:39 UTC
redundancy degraded  ports 64 act 64  tx - pps - bps  rx - pps - bps
bits 7 selector dmac role server failback delay 2000 far-end auto
Ports 1 to 9 of 64 ─────────────────────────────────────────────────────────────
  PORT            PRIO STATE REASON USE FOR HOMES CARRIES TX-PPS TX-BPS RX-PPS
A enp129s0f0np0      1 act   -      yes -       2       2      -      -      -
B enp129s0f1np1      1 act   -      yes -       2       2      -      -      -
C enp129s0f2np2      1 act   -      yes -       2       2      -      -      -
D enp129s0f3np3      1 act   -      yes -       2       2      -      -      -
E enp129s0f4np4      1 act   -      yes -       2       2      -      -      -
F enp129s0f5np5      1 act   -      yes -       2       2      -      -      -
G enp129s0f6np6      1 act   -      yes -       2       2      -      -      -
H enp129s0f7np7      1 act   -      yes -       2       2      -      -      -
I enp129s0f8np8      1 act   -      yes -       2       2      -      -      -
Buckets 128 ' carried by another than its home ─────────────────────────────────
     0  A B C D E F G H  I J K L M N O P  Q R S T U V W X  Y Z a b c d e f
    32  g h i j k l m n  o p q r s t u v  w x y z 0 1 2 3  4 5 6 7 8 9 @ A'
    64  A B C D E F G H  I J K L M N O P  Q R S T U V W X  Y Z a b c d e f
    96  g h i j k l m n  o p q r s t u v  w x y z 0 1 2 3  4 5 6 7 8 9 @ A'
Events ─────────────────────────────────────────────────────────────────────────
08:06:31.000 eth2 act -> sby (disabled)
08:06:32.001 failover of eth2 to eth3 (no-carrier, 3 buckets, switched in 1.8us)

q quit  Up Down ports
"#,
    );
    for _ in 0..100 {
        model.update(Message::Key(Key::Down));
    }
    assert_eq!(model.scroll, 63);
    let lines = screen(&model, 80, 24);
    assert!(lines[3].starts_with("Ports 64 to 64 of 64"), "{lines:?}");
    assert!(lines[5].starts_with("% enp129s0f63np63"), "{lines:?}");
    // There is room for all rows.
    assert!(screen(&model, 80, 120)[3].starts_with("Ports ─"));
    model.update(Message::Key(Key::Up));
    assert_eq!(model.scroll, 62);
}

#[test]
fn as_many_buckets_as_there_can_be() {
    let model = Model::new(many(16), true);
    assert_screen(
        &model,
        80,
        24,
        r#"
trunk0                                                   2026-11-21 08:06:39 UTC
redundancy degraded  ports 64 act 64  tx - pps - bps  rx - pps - bps
bits 16 selector dmac role server failback delay 2000 far-end auto
Ports 1 to 9 of 64 ─────────────────────────────────────────────────────────────
  PORT            PRIO STATE REASON USE FOR HOMES CARRIES TX-PPS TX-BPS RX-PPS
A enp129s0f0np0      1 act   -      yes -    1024    1024      -      -      -
B enp129s0f1np1      1 act   -      yes -    1024    1024      -      -      -
C enp129s0f2np2      1 act   -      yes -    1024    1024      -      -      -
D enp129s0f3np3      1 act   -      yes -    1024    1024      -      -      -
E enp129s0f4np4      1 act   -      yes -    1024    1024      -      -      -
F enp129s0f5np5      1 act   -      yes -    1024    1024      -      -      -
G enp129s0f6np6      1 act   -      yes -    1024    1024      -      -      -
H enp129s0f7np7      1 act   -      yes -    1024    1024      -      -      -
I enp129s0f8np8      1 act   -      yes -    1024    1024      -      -      -
Buckets 65536 in shares: a cell is 512 ' carried by another than its home ──────
        A A A'A'B B C C  D D E E F F G G  H H I I J J K K  L L M M N N O O
        P P Q Q R R S S  T T U U V V W W  X X Y Y Z Z a a  b b c c d d e e
        f f g g h h i i  j j k k l l m m  n n o o p p q q  r r s s t t u u
        v v w w x x y y  z z 0 0 1 1 2 2  3 3 4 4 5 5 6 6  7 7 8 8 9 9 @ @
Events ─────────────────────────────────────────────────────────────────────────
08:06:31.000 eth2 act -> sby (disabled)
08:06:32.001 failover of eth2 to eth3 (no-carrier, 3 buckets, switched in 1.8us)

q quit  Up Down ports
"#,
    );
    // Each size shows a part of everything, and the smallest ones do no harm.
    for (width, height) in [(200, 60), (40, 10), (20, 5), (1, 1)] {
        screen(&model, width, height);
    }
}

/// Returns n trunks. The first one is that of the fixtures, the others have no ports.
fn trunks_of(count: u32) -> Reading {
    let mut reading = reading(0);
    for n in 1..count {
        let mut group = fixtures::group();
        group.ports.clear();
        group.trunk.ifindex += 100 + n;
        group.trunk.ifname = format!("trunk{n}");
        reading.groups.push(group);
    }
    reading
}

#[test]
fn trunks_are_chosen_by_keys() {
    let mut model = Model::new(trunks_of(3), true);
    let foot = |model: &Model| screen(model, 80, 24)[23].clone();
    assert_eq!(foot(&model), "q quit  Tab next trunk");
    let mut press = |key| {
        assert_eq!(model.update(Message::Key(key)), Action::Read);
        model.chosen
    };
    assert_eq!(press(Key::Next), Some(104));
    assert_eq!(press(Key::Next), Some(105));
    assert_eq!(press(Key::Next), Some(3));
    assert_eq!(press(Key::Previous), Some(105));
    let read = Reading {
        trunk: Some(105),
        ..trunks_of(3)
    };
    model.update(Message::Read(read));
    assert_eq!(model.group().unwrap().trunk.ifname, "trunk2");
    // The trunk goes, and the first one is shown instead.
    model.update(Message::Read(trunks_of(2)));
    assert_eq!(
        (model.chosen, model.group().unwrap().trunk.ifindex),
        (Some(3), 3)
    );
    // With one trunk there is no choice.
    model.update(Message::Read(reading(0)));
    assert_eq!(model.update(Message::Key(Key::Next)), Action::None);
    assert_eq!(foot(&model), "q quit");
    assert_eq!(model.update(Message::Key(Key::Quit)), Action::Quit);
}

#[test]
fn the_chosen_of_many_trunks_is_seen() {
    let mut model = Model::new(trunks_of(1000), true);
    assert!(screen(&model, 80, 24)[0].starts_with("trunk0 trunk1 "));
    model.update(Message::Key(Key::Previous));
    let line = &screen(&model, 80, 24)[0];
    assert!(
        line.starts_with("trunk994 ") && line.contains(" trunk999 "),
        "{line}"
    );
}

#[test]
fn rates_are_worked_out_over_a_second_or_so() {
    let mut model = model();
    let rates = |model: &Model, ifindex| model.rates.get(&ifindex).copied();
    // After an event, then a second after the first reading.
    for (later, frames) in [(SECOND / 10, 10), (SECOND, 2000)] {
        let mut reading = reading(later);
        after(&mut reading, frames);
        model.update(Message::Read(reading));
        if later < LEAST {
            assert_eq!(rates(&model, 4), None);
        }
    }
    let want = Rates {
        tx_packets: Some(2000),
        tx_bits: Some(1_600_000),
        rx_packets: Some(1000),
        rx_bits: Some(800_000),
    };
    assert_eq!(rates(&model, 3), Some(want));
    assert_eq!(rates(&model, 6), Some(want));
    // The counters were reset, so there is no rate of this second.
    model.update(Message::Read(reading(2 * SECOND)));
    assert_eq!(rates(&model, 4), Some(Rates::default()));
    // Counters of another trunk give no rate either.
    let other = Reading {
        trunk: None,
        ..reading(3 * SECOND)
    };
    model.update(Message::Read(other));
    assert_eq!(rates(&model, 4), None);
}

#[test]
fn a_loss_is_told_for_a_while() {
    let mut model = model();
    let foot = |model: &Model| screen(model, 80, 24)[23].clone();
    model.update(Message::Lost(Some(5)));
    // The program may have been stopped for long; the notice is new.
    model.update(Message::Read(reading(60 * SECOND)));
    assert_eq!(
        foot(&model),
        "q quit  5 events were lost; everything was read again"
    );
    model.update(Message::Lost(None));
    assert_eq!(
        foot(&model),
        "q quit  events were lost; everything was read again"
    );
    model.update(Message::Read(reading(61 * SECOND)));
    model.update(Message::Read(reading(70 * SECOND)));
    assert_eq!(
        foot(&model),
        "q quit  events were lost; everything was read again"
    );
    model.update(Message::Read(reading(71 * SECOND)));
    assert_eq!(foot(&model), "q quit");
}

#[test]
fn a_line_too_long_leaves_out_what_another_tells() {
    let mut reading = reading(0);
    reading.history[1].detection_ns = Some(300);
    let model = Model::new(reading, true);
    let short = "failover of eth2 to eth3 (3 buckets, detected in 300ns, switched in 1.8us)";
    assert!(screen(&model, 120, 24)[12].contains("(no-carrier, 3 buckets, detected"));
    assert!(screen(&model, 90, 24)[12].ends_with(short));
}

#[test]
fn what_is_old_is_dim_until_it_is_read_again() {
    let is_dim = |model: &Model, at| {
        let cell = buffer(model, 80, 24)[at].clone();
        cell.modifier.contains(Modifier::DIM)
    };
    let mut model = model();
    assert!(!is_dim(&model, (0, 5)));
    let text = "Error: there is no device \"trunk0\".";
    model.update(Message::Failed(text.to_string()));
    assert!(is_dim(&model, (0, 5)));
    assert_eq!(screen(&model, 80, 24)[23], format!("q quit  {text}"));
    assert!(!is_dim(&model, (10, 23)));
    model.update(Message::Read(reading(SECOND)));
    assert!(!is_dim(&model, (0, 5)));
}

#[test]
fn a_port_and_its_buckets_have_one_colour() {
    let buffer = buffer(&model(), 80, 24);
    let colors = |at: (u16, u16)| (buffer[at].symbol(), buffer[at].fg, buffer[at].bg);
    let black = Color::Indexed(0);
    assert_eq!(colors((0, 5)), ("A", black, Color::Indexed(6)));
    assert_eq!(colors((8, 9)), ("A", black, Color::Indexed(6)));
    assert_eq!(colors((0, 7)), ("C", black, Color::Indexed(2)));
    assert_eq!(colors((10, 9)), ("C", black, Color::Indexed(2)));
    assert_eq!(colors((11, 9)), ("'", black, Color::Indexed(2)));
}

#[test]
fn without_colours() {
    let buffer = buffer(&Model::new(reading(0), false), 80, 24);
    let plain = (Color::Reset, Color::Reset);
    assert!(buffer
        .content
        .iter()
        .all(|cell| (cell.fg, cell.bg) == plain));
}
