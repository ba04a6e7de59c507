//! Versions: moments that have been, each after those before.

use shared::domain::{Finding, Service, Version};
use time::{Date, Duration, Month, OffsetDateTime, Time};

use crate::lint::look::Look;
use crate::rules::{Draft, Rulebook, slugs};

/// Clocks differ, and so do time zones.
const GRACE: Duration = Duration::days(1);

/// A version later than tomorrow: whatever is written next sorts before it.
pub(super) fn in_future<'a>(look: &Look<'a>, now: OffsetDateTime) -> Vec<Draft<'a>> {
    let version = look.file.migration.version;
    if moment(version).is_some_and(|moment| moment <= now + GRACE) {
        return Vec::new();
    }
    let draft = Draft::new(
        &slugs::VERSION_IN_FUTURE,
        look.file.script,
        format!(
            "{version} is a moment in the future: a migration written tomorrow would come before it"
        ),
    )
    .safe_form("number it with the current time, as `generate` does");
    vec![draft]
}

/// The moment that a version names: milliseconds since 1970, or as other tools write it, 20260131120000. `None` for one after
/// the year 9999.
fn moment(version: Version) -> Option<OffsetDateTime> {
    let number = version.number();
    calendar(number)
        .or_else(|| OffsetDateTime::from_unix_timestamp_nanos(i128::from(number) * 1_000_000).ok())
}

/// Fourteen digits, or seventeen with milliseconds, that read as a moment of this or the last century.
fn calendar(number: i64) -> Option<OffsetDateTime> {
    let digits = number.to_string();
    if !matches!(digits.len(), 14 | 17) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<u8>().ok();
    let year: i32 = digits.get(..4)?.parse().ok()?;
    if !(1970..2100).contains(&year) {
        return None;
    }
    let month = Month::try_from(part(4, 6)?).ok()?;
    let date = Date::from_calendar_date(year, month, part(6, 8)?).ok()?;
    let time = Time::from_hms(part(8, 10)?, part(10, 12)?, part(12, 14)?).ok()?;
    Some(date.with_time(time).assume_utc())
}

/// New migrations that come before one that is merged: where that one is applied, they are out of order. `base` holds the
/// versions that are merged.
pub fn order_against(service: &Service, rulebook: &Rulebook, base: &[Version]) -> Vec<Finding> {
    let Some(newest) = base.iter().max() else {
        return Vec::new();
    };
    service
        .migrations
        .iter()
        .filter(|migration| migration.version < *newest && !base.contains(&migration.version))
        .filter_map(|migration| {
            let draft = Draft::new(
                &slugs::VERSION_ORDER,
                &migration.script,
                format!(
                    "{} comes before {newest}, which is merged: where that one is applied, this one is out of order",
                    migration.version
                ),
            )
            .safe_form(format!("give it a version after {newest}: rename both files"));
            rulebook.finding(service, migration, draft)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn versions_are_moments_in_two_spellings() {
        let cases = [
            (1_753_250_000_000, Some(datetime!(2025-07-23 05:53:20 UTC))),
            (20_260_131_120_000, Some(datetime!(2026-01-31 12:00 UTC))),
            (
                20_260_131_120_000_500,
                Some(datetime!(2026-01-31 12:00 UTC)),
            ),
            (1, Some(datetime!(1970-01-01 00:00:00.001 UTC))),
            (i64::MAX, None),
        ];
        for (number, wanted) in cases {
            assert_eq!(moment(Version::new(number)), wanted, "{number}");
        }
        // No such day: it is a number of milliseconds then, far away.
        let odd = moment(Version::new(20_261_399_000_000)).expect("a moment");
        assert!(odd > datetime!(2500-01-01 00:00 UTC));
    }
}
