// SPDX-License-Identifier: GPL-2.0

//! The screen, as a function of the model.

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Widget};
use ratatui::Frame;

use trunk_nl::uapi::{EventKind, Reason, Redundancy, State};
use trunk_nl::{Bucket, Clock, Event, Port};

use super::model::{Model, Rates};
use crate::text::{self, Look};
use crate::time;
use crate::view::{self, EventView, Group};

const GREEN: Color = Color::Indexed(2);
const YELLOW: Color = Color::Indexed(3);
const RED: Color = Color::Indexed(1);

/// Rows above the ports, and below the events.
const HEAD: u16 = 3;
const FOOT: u16 = 1;

/// The least rows of events, with their title, if there is room.
const EVENTS: u16 = 4;

/// Buckets in a group within a row of the map, as in the map of `table show`.
const CLUSTER: usize = 8;

/// Columns before the first bucket of a row: its number and two blanks.
const LABEL: usize = 8;

/// Rows of the map for a table that is too large for a cell for each bucket.
const SHARES: usize = 4;

pub fn draw(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let paint = Paint(model.color);
    let buffer = frame.buffer_mut();
    let Some(group) = model.group() else {
        let lines = [
            Line::from("There is no trunk. One is made by, for example:"),
            Line::from(""),
            Line::from("    trunkctl add trunk0 port eth1 port eth2"),
        ];
        let [body, foot] = rows(area, [Constraint::Min(0), Constraint::Length(FOOT)]);
        Paragraph::new(Vec::from(lines)).render(body, buffer);
        draw_foot(model, &paint, false, foot, buffer);
        return;
    };

    let body = area.height.saturating_sub(HEAD + FOOT);
    let map = Map::new(group, &model.reading.table, area.width, body / 3);
    let map_height = 1 + u16::try_from(map.rows.len()).unwrap_or(u16::MAX);
    // The title and the heads of columns.
    let room = body.saturating_sub(map_height + EVENTS + 2).max(1);
    let wanted = u16::try_from(group.ports.len().max(1)).unwrap_or(u16::MAX);
    let ports_height = 2 + room.min(wanted);
    let [head, ports, buckets, events, foot] = rows(
        area,
        [
            Constraint::Length(HEAD),
            Constraint::Length(ports_height),
            Constraint::Length(map_height),
            Constraint::Min(0),
            Constraint::Length(FOOT),
        ],
    );
    draw_head(model, group, &paint, head, buffer);
    draw_ports(model, group, &paint, ports, buffer);
    map.draw(group, &paint, buckets, buffer);
    draw_events(model, group, &paint, events, buffer);
    draw_foot(model, &paint, wanted > room, foot, buffer);
    if model.failure.is_some() {
        // Everything but the reason is old.
        let old = Rect {
            height: area.height.saturating_sub(FOOT),
            ..area
        };
        buffer.set_style(old, Style::new().add_modifier(Modifier::DIM));
    }
}

/// Whether there are colours.
struct Paint(bool);

impl Paint {
    fn color(&self, color: Color) -> Style {
        match self.0 {
            true => Style::new().fg(color),
            false => Style::new(),
        }
    }

    /// Returns the style of a port's letter and its buckets.
    fn port(&self, port: &Port) -> Style {
        if !self.0 {
            return Style::new();
        }
        let number: u8 = text::color(port).parse().unwrap_or(37);
        let index = match number {
            90.. => number - 90 + 8,
            _ => number.saturating_sub(30),
        };
        // White text on dark colours, black on the others.
        let on = if [1, 4].contains(&index) { 15 } else { 0 };
        Style::new()
            .fg(Color::Indexed(on))
            .bg(Color::Indexed(index))
    }

    fn redundancy(&self, group: &Group) -> Style {
        self.color(match group.trunk.redundancy.known() {
            Some(Redundancy::Full) => GREEN,
            Some(Redundancy::Degraded) => YELLOW,
            _ => RED,
        })
    }

    fn event(&self, event: &Event) -> Style {
        match event.kind.known() {
            Some(EventKind::PortState) => match event.new_state {
                Some(state) if state == State::Act => self.color(GREEN),
                _ => self.color(RED),
            },
            Some(EventKind::PeerLost) => self.color(RED),
            Some(
                EventKind::Failover
                | EventKind::PeerBye
                | EventKind::PeerDiffers
                | EventKind::ClaimMoved
                | EventKind::JoinRefused
                | EventKind::Late,
            ) => self.color(YELLOW),
            Some(EventKind::Failback | EventKind::PeerFound | EventKind::InTime) => {
                self.color(GREEN)
            }
            _ => Style::new(),
        }
    }
}

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);

fn rows<const N: usize>(area: Rect, constraints: [Constraint; N]) -> [Rect; N] {
    Layout::vertical(constraints).areas(area)
}

/// Draws a rule with a title. Returns the area below it.
fn section(title: Line<'_>, area: Rect, buffer: &mut Buffer) -> Rect {
    let block = Block::new().borders(Borders::TOP).title(title);
    let inner = block.inner(area);
    block.render(area, buffer);
    inner
}

// The rows above the ports

fn draw_head(model: &Model, group: &Group, paint: &Paint, area: Rect, buffer: &mut Buffer) {
    let [first, second, third] = rows(area, [Constraint::Length(1); HEAD as usize]);

    let clock = model.reading.clock;
    let now = time::utc(clock.wall(clock.monotonic()));
    let now = now.get(..19).unwrap_or_default().replace('T', " ") + " UTC";
    let [names, right] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(now.len() as u16 + 1)])
            .areas(first);
    trunks(model, paint, names.width.into()).render(names, buffer);
    Paragraph::new(now)
        .alignment(Alignment::Right)
        .render(right, buffer);

    let rates = model.rates.get(&group.trunk.ifindex).copied();
    let rates = rates.unwrap_or_default();
    let link = match (group.link.up, group.link.carrier) {
        (false, _) => "  down",
        (true, false) => "  no-carrier",
        (true, true) => "",
    };
    let line = Line::from_iter([
        Span::raw("redundancy "),
        Span::styled(group.trunk.redundancy.to_string(), paint.redundancy(group)),
        Span::raw(format!(
            "  ports {} act {}",
            group.ports.len(),
            view::act(&group.ports)
        )),
        Span::styled(link, paint.color(RED)),
        Span::raw(format!(
            "  tx {} pps {} bps  rx {} pps {} bps",
            number(rates.tx_packets),
            number(rates.tx_bits),
            number(rates.rx_packets),
            number(rates.rx_bits)
        )),
    ]);
    line.render(second, buffer);
    Line::from(text::settings(&group.trunk, false)).render(third, buffer);
}

/// Returns the trunks, beginning with one such that the chosen one is shown.
fn trunks<'a>(model: &'a Model, paint: &Paint, width: usize) -> Line<'a> {
    let groups = &model.reading.groups;
    let chosen = |group: &Group| Some(group.trunk.ifindex) == model.chosen;
    let last = groups.iter().position(chosen).unwrap_or(0);
    let length = |group: &Group| group.trunk.ifname.chars().count() + 1;
    let mut first = last;
    let mut taken = groups.get(last).map_or(0, length);
    while first > 0 && taken + length(&groups[first - 1]) <= width {
        first -= 1;
        taken += length(&groups[first]);
    }
    let spans = groups[first..].iter().flat_map(|group| {
        let style = paint.redundancy(group);
        let style = match chosen(group) {
            true => style.patch(BOLD).add_modifier(Modifier::REVERSED),
            false => style,
        };
        let name = Span::styled(group.trunk.ifname.as_str(), style);
        [name, Span::raw(" ")]
    });
    // There may be a thousand trunks beyond the edge.
    spans.take(2 * width.max(1)).collect()
}

fn number(value: Option<u64>) -> String {
    value.map_or_else(|| "-".to_string(), text::human)
}

// Ports

/// A cell of the table of ports.
type Cell = (String, Style);

struct Column {
    /// The full heading, and the one for a narrow screen.
    heads: [&'static str; 2],
    /// Numbers are aligned to the right.
    right: bool,
    /// If there is no room, columns with higher numbers are left out first; 0 stays.
    spare: u8,
    cell: fn(&Row<'_>) -> Cell,
}

struct Row<'a> {
    port: &'a Port,
    group: &'a Group,
    rates: Rates,
    paint: &'a Paint,
}

/// Returns a cell without style.
fn plain(text: impl ToString) -> Cell {
    (text.to_string(), Style::new())
}

const COLUMNS: [Column; 12] = [
    Column {
        heads: ["PORT", "PORT"],
        right: false,
        spare: 0,
        cell: |row| plain(&row.port.ifname),
    },
    Column {
        heads: ["PRIO", "PRIO"],
        right: true,
        spare: 2,
        cell: |row| plain(row.port.priority),
    },
    Column {
        heads: ["STATE", "STATE"],
        right: false,
        spare: 0,
        cell: |row| {
            let state = row.port.state;
            let color = if state == State::Act { GREEN } else { RED };
            (state.to_string(), row.paint.color(color))
        },
    },
    Column {
        heads: ["REASON", "REASON"],
        right: false,
        spare: 1,
        cell: |row| match (row.port.held_back, row.port.reason) {
            (true, _) => ("held-back".to_string(), row.paint.color(YELLOW)),
            (false, reason) if reason == Reason::None && row.port.late => {
                ("late".to_string(), row.paint.color(YELLOW))
            }
            (false, reason) if reason == Reason::None && row.port.is_lossy() => {
                ("lossy".to_string(), row.paint.color(YELLOW))
            }
            (false, reason) if reason == Reason::None => plain("-"),
            (false, reason) => plain(reason),
        },
    },
    Column {
        heads: ["IN-USE", "USE"],
        right: false,
        spare: 8,
        cell: |row| plain(if row.port.in_use { "yes" } else { "no" }),
    },
    Column {
        heads: ["STANDS-IN-FOR", "FOR"],
        right: false,
        spare: 3,
        cell: |row| match row.port.stands_in_for {
            Some(other) => (row.group.port_name(other), row.paint.color(YELLOW)),
            None => plain("-"),
        },
    },
    Column {
        heads: ["HOMES", "HOMES"],
        right: true,
        spare: 7,
        cell: |row| plain(row.port.homes),
    },
    Column {
        heads: ["CARRIES", "CARRIES"],
        right: true,
        spare: 4,
        cell: |row| plain(row.port.buckets),
    },
    Column {
        heads: ["TX-PPS", "TX-PPS"],
        right: true,
        spare: 6,
        cell: |row| plain(number(row.rates.tx_packets)),
    },
    Column {
        heads: ["TX-BPS", "TX-BPS"],
        right: true,
        spare: 5,
        cell: |row| plain(number(row.rates.tx_bits)),
    },
    Column {
        heads: ["RX-PPS", "RX-PPS"],
        right: true,
        spare: 9,
        cell: |row| plain(number(row.rates.rx_packets)),
    },
    Column {
        heads: ["RX-BPS", "RX-BPS"],
        right: true,
        spare: 10,
        cell: |row| plain(number(row.rates.rx_bits)),
    },
];

/// Columns of a port's letter and the blank after it.
const LETTER: usize = 2;

fn draw_ports(model: &Model, group: &Group, paint: &Paint, area: Rect, buffer: &mut Buffer) {
    let room = usize::from(area.height.saturating_sub(2));
    let all = group.ports.len();
    let first = if room < all { model.scroll } else { 0 };
    let last = (first + room).min(all);
    let title = match last - first == all {
        true => "Ports ".to_string(),
        false => format!("Ports {} to {last} of {all} ", first + 1),
    };
    let area = section(Line::styled(title, BOLD), area, buffer);
    if all == 0 {
        Line::from("none").render(area, buffer);
        return;
    }

    let row = |port| Row {
        port,
        group,
        rates: model.rates.get(&port.ifindex).copied().unwrap_or_default(),
        paint,
    };
    // The widths are for all ports, so that columns do not move as ports scroll.
    let cells = |column: &Column| -> Vec<Cell> {
        group
            .ports
            .iter()
            .map(|port| (column.cell)(&row(port)))
            .collect()
    };
    let columns: Vec<_> = COLUMNS
        .iter()
        .map(|column| (column, cells(column)))
        .collect();
    let (columns, head, gap) = fit(columns, usize::from(area.width).saturating_sub(LETTER));

    let mut lines = vec![Vec::new(); 1 + last - first];
    lines[0].push(Span::raw(" ".repeat(LETTER)));
    for (line, port) in lines[1..].iter_mut().zip(&group.ports[first..]) {
        let letter = text::letter(port).to_string();
        line.extend([Span::styled(letter, paint.port(port)), Span::raw(" ")]);
    }
    for (column, cells) in &columns {
        let width = width(column, cells, head);
        let put = |text: &str| match column.right {
            true => format!("{text:>width$}{gap}"),
            false => format!("{text:width$}{gap}"),
        };
        lines[0].push(Span::styled(put(column.heads[head]), DIM));
        for (line, (text, style)) in lines[1..].iter_mut().zip(&cells[first..]) {
            line.push(Span::styled(put(text), *style));
        }
    }
    let lines: Vec<_> = lines.into_iter().map(Line::from).collect();
    Paragraph::new(lines).render(area, buffer);
}

type Columns = Vec<(&'static Column, Vec<Cell>)>;

/// Leaves out columns without room. Returns the columns, which headings they have, and what
/// separates them.
fn fit(mut columns: Columns, room: usize) -> (Columns, usize, &'static str) {
    let fits = |columns: &Columns, head, gap: &str| {
        let widths = columns
            .iter()
            .map(|(column, cells)| width(column, cells, head) + gap.len());
        widths.sum::<usize>() <= room + gap.len() // None after the last.
    };
    for gap in ["  ", " "] {
        if fits(&columns, 0, gap) {
            return (columns, 0, gap);
        }
    }
    while !fits(&columns, 1, " ") {
        let most = columns.iter().map(|(column, _)| column.spare).max();
        match most {
            Some(spare) if spare > 0 => columns.retain(|(column, _)| column.spare != spare),
            _ => break,
        }
    }
    (columns, 1, " ")
}

fn width(column: &Column, cells: &[Cell], head: usize) -> usize {
    let cells = cells.iter().map(|(text, _)| text.chars().count());
    cells.max().unwrap_or(0).max(column.heads[head].len())
}

// Buckets

/// The table, in a limited number of cells.
struct Map {
    /// Number of buckets.
    all: usize,
    /// Number of buckets for each cell. If it is more than one, cells show shares of the table, not
    /// places in it: a cell would have buckets of several ports.
    scale: usize,
    /// The rows, each with the number of its first bucket, unless cells are shares.
    rows: Vec<(Option<u32>, Vec<BucketCell>)>,
}

/// Position of the port in the list, and a mark.
type BucketCell = (Option<usize>, char);

const AWAY: char = '\'';
const USER_SET: char = '*';

impl Map {
    fn new(group: &Group, table: &[Bucket], width: u16, most_rows: u16) -> Self {
        let in_row = in_row(width);
        let most_rows = usize::from(most_rows).max(1);
        let cells: Vec<_> = table.iter().map(|bucket| cell(group, bucket)).collect();
        let all = table.len();
        if all <= in_row * most_rows {
            let rows = cells.chunks(in_row).zip(table.chunks(in_row));
            let rows = rows.map(|(cells, buckets)| {
                let first = buckets.first().map(|bucket| bucket.index);
                (first, cells.to_vec())
            });
            return Self {
                all,
                scale: 1,
                rows: rows.collect(),
            };
        }
        // Powers of two, as the size of the table, so that all cells have as many buckets.
        let most_rows = 1 << most_rows.min(SHARES).ilog2();
        let shares = shares(cells, in_row * most_rows);
        Self {
            all,
            scale: all.div_ceil(shares.len().max(1)),
            rows: shares
                .chunks(in_row)
                .map(|row| (None, row.to_vec()))
                .collect(),
        }
    }

    fn draw(&self, group: &Group, paint: &Paint, area: Rect, buffer: &mut Buffer) {
        let cells = || self.rows.iter().flat_map(|(_, cells)| cells);
        let has = |mark| cells().any(|(_, each)| *each == mark);
        let mut title = vec![Span::styled(format!("Buckets {} ", self.all), BOLD)];
        if self.scale > 1 {
            title.push(Span::raw(format!("in shares: a cell is {} ", self.scale)));
        }
        if has(AWAY) {
            title.push(Span::raw("' carried by another than its home "));
        }
        if has(USER_SET) {
            title.push(Span::raw("* home set by the user "));
        }
        let area = section(Line::from(title), area, buffer);
        let lines: Vec<_> = self
            .rows
            .iter()
            .map(|(first, cells)| row_of_cells(*first, cells, group, paint))
            .collect();
        Paragraph::new(lines).render(area, buffer);
    }
}

/// Returns the number of buckets in a row of the map, a power of two.
fn in_row(width: u16) -> usize {
    let clusters = usize::from(width).saturating_sub(LABEL - 1) / (2 * CLUSTER + 1);
    match clusters {
        0 => CLUSTER / 2,
        _ => CLUSTER << clusters.ilog2(),
    }
}

fn cell(group: &Group, bucket: &Bucket) -> BucketCell {
    let carrier = |port: &Port| Some(port.ifindex) == bucket.port;
    let mark = match (bucket.port != bucket.home, bucket.user_set) {
        (true, _) => AWAY,
        (_, true) => USER_SET,
        _ => ' ',
    };
    (group.ports.iter().position(carrier), mark)
}

/// Returns `count` cells that have the shares of each kind among all cells, within one cell.
fn shares(mut cells: Vec<BucketCell>, count: usize) -> Vec<BucketCell> {
    cells.sort_unstable();
    // The bucket in the middle of those of a cell.
    let middle = |at: usize| cells.get((2 * at + 1) * cells.len() / (2 * count)).copied();
    (0..count).filter_map(middle).collect()
}

fn row_of_cells<'a>(
    first: Option<u32>,
    cells: &[BucketCell],
    group: &Group,
    paint: &Paint,
) -> Line<'a> {
    let label = first.map_or_else(String::new, |first| first.to_string());
    let mut spans = vec![Span::styled(format!("{label:>0$} ", LABEL - 2), DIM)];
    for (at, (carrier, mark)) in cells.iter().enumerate() {
        if at % CLUSTER == 0 {
            spans.push(Span::raw(" "));
        }
        let port = carrier.and_then(|position| group.ports.get(position));
        spans.push(match port {
            Some(port) => Span::styled(format!("{}{mark}", text::letter(port)), paint.port(port)),
            None => Span::styled(format!("-{mark}"), paint.color(RED)),
        });
    }
    Line::from(spans)
}

// Events

fn draw_events(model: &Model, group: &Group, paint: &Paint, area: Rect, buffer: &mut Buffer) {
    let area = section(Line::styled("Events ", BOLD), area, buffer);
    let history = &model.reading.history;
    let first = history.len().saturating_sub(area.height.into());
    let lines: Vec<_> = history[first..]
        .iter()
        .map(|event| event_line(event, group, model.reading.clock, paint, area.width.into()))
        .collect();
    Paragraph::new(lines).render(area, buffer);
}

fn event_line<'a>(
    event: &Event,
    group: &Group,
    clock: Clock,
    paint: &Paint,
    width: usize,
) -> Line<'a> {
    let mut view = EventView::new(event, clock);
    let today = time::utc(clock.wall(clock.monotonic()));
    // The day for an event of another day, the milliseconds for one of today, which are as long.
    let when = match view.time.get(..10) == today.get(..10) {
        true => view.time.get(11..23).map(str::to_string),
        false => view.time.get(5..16).map(|when| when.replace('T', " ")),
    };
    let when = format!("{:12} ", when.unwrap_or_default());
    let name = format!("{}: ", group.trunk.ifname);
    let told = |view: &EventView<'_>| {
        let text = text::event(view, &Look::default());
        text.strip_prefix(&name)
            .unwrap_or(&text)
            .trim_end()
            .to_string()
    };
    let mut text = told(&view);
    if when.len() + text.len() > width && event.kind == EventKind::Failover {
        // The event of the port, just before, has the reason too.
        view.reason = None;
        text = told(&view);
    }
    Line::from_iter([
        Span::styled(when, DIM),
        Span::styled(text, paint.event(event)),
    ])
}

// The last row

/// Draws the last row. `scrolls`: there is no room for all ports.
fn draw_foot(model: &Model, paint: &Paint, scrolls: bool, area: Rect, buffer: &mut Buffer) {
    let mut keys = "q quit".to_string();
    if model.reading.groups.len() > 1 {
        keys += "  Tab next trunk";
    }
    if scrolls {
        keys += "  Up Down ports";
    }
    let said = match (&model.failure, &model.notice) {
        (Some(failure), _) => Span::styled(failure.clone(), paint.color(RED).patch(BOLD)),
        (None, Some((notice, _))) => Span::styled(notice.clone(), paint.color(YELLOW).patch(BOLD)),
        (None, None) => Span::raw(""),
    };
    Line::from_iter([Span::styled(keys, DIM), Span::raw("  "), said]).render(area, buffer);
}

#[cfg(test)]
#[path = "golden.rs"]
mod golden;
