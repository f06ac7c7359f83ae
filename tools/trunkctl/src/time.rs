// SPDX-License-Identifier: GPL-2.0

//! Times for people and for programs.

use std::time::{Duration, SystemTime};

/// Returns UTC to the microsecond, as `2026-11-21T08:06:39.123456Z`. A time before 1970 becomes the
/// start of 1970.
pub fn utc(time: SystemTime) -> String {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        since.subsec_micros()
    )
}

/// Returns year, month and day of a day since 1970.
///
/// Years begin in March here, so that a leap day is the last of its year; 400 of them have always
/// the same number of days.
fn date(days: u64) -> (u64, u64, u64) {
    let from_march = days + 719_468; // Since March 1 of the year 0.
    let (era, day) = (from_march / 146_097, from_march % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // 0 is March.
    let first = (153 * month + 2) / 5;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + later, month, day - first + 1)
}

/// Returns a duration with its two largest units: `3d4h`, `12m5s`, `7s`.
pub fn brief(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (d, h, m, s) = (
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    );
    match (d, h, m) {
        (0, 0, 0) => format!("{s}s"),
        (0, 0, m) => format!("{m}m{s}s"),
        (0, h, m) => format!("{h}h{m}m"),
        (d, h, _) => format!("{d}d{h}h"),
    }
}

/// Returns a short time with a fitting unit: `812ns`, `1.8us`, `45.0ms`, `120s`.
pub fn short(nanoseconds: u64) -> String {
    with_unit(&[nanoseconds], 100)
}

/// Returns several times, with the unit that fits the shortest of them: `118/97/121us`.
pub fn together(nanoseconds: &[u64]) -> String {
    with_unit(nanoseconds, 10)
}

/// Returns times with a unit. Numbers less than `whole` have a decimal.
fn with_unit(nanoseconds: &[u64], whole: u64) -> String {
    let (unit, name) = match nanoseconds.iter().min().unwrap_or(&0) {
        0..1_000 => (1, "ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let number = |nanoseconds: &u64| match (nanoseconds / unit, nanoseconds % unit) {
        (units, rest) if units < whole && unit > 1 => format!("{units}.{}", rest * 10 / unit),
        (units, _) => units.to_string(),
    };
    let numbers: Vec<_> = nanoseconds.iter().map(number).collect();
    numbers.join("/") + name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_is_as_date_prints_it() {
        for (seconds, want) in [
            (0, "1970-01-01T00:00:00.000007Z"),
            (951_782_399, "2000-02-28T23:59:59.000007Z"),
            (951_782_400, "2000-02-29T00:00:00.000007Z"),
            (951_868_800, "2000-03-01T00:00:00.000007Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000007Z"),
            (1_795_248_399, "2026-11-21T08:06:39.000007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000007Z"),
        ] {
            let time = Duration::from_secs(seconds) + Duration::from_micros(7);
            assert_eq!(utc(SystemTime::UNIX_EPOCH + time), want);
        }
    }

    #[test]
    fn durations() {
        let all = [0, 7, 125, 3_720, 90_000].map(|s| brief(Duration::from_secs(s)));
        assert_eq!(all, ["0s", "7s", "2m5s", "1h2m", "1d1h"]);
        let all = [0, 812, 1_834, 31_250_000, 450_000_000, 2_000_000_000].map(short);
        assert_eq!(all, ["0ns", "812ns", "1.8us", "31.2ms", "450ms", "2.0s"]);
        assert_eq!(together(&[118_000, 97_250, 2_121_456]), "118/97/2121us");
        assert_eq!(together(&[1_200, 1_180, 9_999]), "1.2/1.1/9.9us");
    }
}
