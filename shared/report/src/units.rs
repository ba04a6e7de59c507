//! Durations, ages, counts and dates as text.

use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use domain::Version;

const DATE: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]");
const COMPACT_DATE: &[BorrowedFormatItem<'static>] = format_description!("[year][month][day]");

/// How long something took: `4 ms`, `0.42 s`, `3 min 05 s`, `2 h 03 min`.
pub fn duration(milliseconds: u64) -> String {
    // A duration that rounds up to a minute is written as one.
    if milliseconds < 10 {
        format!("{milliseconds} ms")
    } else if milliseconds < 59_995 {
        let hundredths = (milliseconds + 5) / 10;
        format!("{}.{:02} s", hundredths / 100, hundredths % 100)
    } else {
        long((milliseconds + 500) / 1_000)
    }
}

/// How long something has been going on: `0.4 s`, `3 min 05 s`.
pub fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{seconds}.{} s", duration.subsec_millis() / 100)
    } else {
        long(seconds)
    }
}

/// An age that the server reports in whole seconds: `12 s`, `5 min 02 s`, `2 d 3 h`.
pub fn age(seconds: i64) -> String {
    // A clock that was set back must not show a negative age.
    long(u64::try_from(seconds).unwrap_or(0))
}

fn long(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    if minutes == 0 {
        format!("{seconds} s")
    } else if hours == 0 {
        format!("{minutes} min {:02} s", seconds % 60)
    } else if days == 0 {
        format!("{hours} h {:02} min", minutes % 60)
    } else {
        format!("{days} d {} h", hours % 24)
    }
}

/// A size: `512 B`, `12.3 MB`, in powers of 1,000.
pub fn bytes(number: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    match UNITS.iter().find(|(size, _)| number >= *size) {
        Some((size, unit)) => {
            let tenths = number / (size / 10);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{number} B"),
    }
}

/// A number with its noun: `1 migration`, `3 migrations`. For nouns whose plural ends in `s`.
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The date of a version: `2025-07-23`.
///
/// Versions are milliseconds since 1970 by convention; `YYYYMMDDhhmmss`, common elsewhere, is understood too. `None` for
/// any other number.
pub fn version_date(version: Version) -> Option<String> {
    let number = version.number();
    let date = match number.to_string().len() {
        13 => OffsetDateTime::from_unix_timestamp(number / 1_000)
            .ok()?
            .date(),
        14 => Date::parse(&(number / 1_000_000).to_string(), COMPACT_DATE).ok()?,
        _ => return None,
    };
    date.format(DATE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_two_decimals_below_a_minute() {
        assert_eq!(duration(0), "0 ms");
        assert_eq!(duration(9), "9 ms");
        assert_eq!(duration(10), "0.01 s");
        assert_eq!(duration(424), "0.42 s");
        assert_eq!(duration(425), "0.43 s");
        assert_eq!(duration(59_994), "59.99 s");
    }

    #[test]
    fn durations_never_show_sixty_seconds() {
        assert_eq!(duration(59_995), "1 min 00 s");
        assert_eq!(duration(119_600), "2 min 00 s");
        assert_eq!(duration(185_000), "3 min 05 s");
        assert_eq!(duration(7_380_000), "2 h 03 min");
        assert_eq!(duration(97_200_000), "1 d 3 h");
    }

    #[test]
    fn ages_are_whole_and_never_negative() {
        assert_eq!(age(-3), "0 s");
        assert_eq!(age(12), "12 s");
        assert_eq!(age(302), "5 min 02 s");
        assert_eq!(elapsed(Duration::from_millis(4_270)), "4.2 s");
        assert_eq!(elapsed(Duration::from_secs(65)), "1 min 05 s");
    }

    #[test]
    fn a_version_has_a_day_where_it_means_one() {
        let day = |number| version_date(Version::new(number));
        assert_eq!(day(1_753_250_000_000).as_deref(), Some("2025-07-23"));
        assert_eq!(day(20_240_131_120_000).as_deref(), Some("2024-01-31"));
        assert_eq!(day(20_249_931_120_000), None);
        assert_eq!(day(7), None);
    }

    #[test]
    fn sizes_have_one_decimal() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_049), "1.0 kB");
        assert_eq!(bytes(12_345_678), "12.3 MB");
        assert_eq!(bytes(2_000_000_000), "2.0 GB");
    }

    #[test]
    fn counts_have_the_right_number() {
        assert_eq!(count(0, "service"), "0 services");
        assert_eq!(count(1, "service"), "1 service");
    }
}
