//! Versions: not in the future, and after the merged ones.

use domain::{Finding, Service, Version};
use time::{Date, Duration, Month, OffsetDateTime, Time};

use super::{Draft, Rulebook, rule};
use crate::context::LintContext;

rule! {
    VERSION_IN_FUTURE = Error "version-in-future": "Do not use a version later than tomorrow." {
        file: Some(in_future),
    };
    VERSION_ORDER = Error "version-order": "Give a new migration a later version than all merged ones.";
}

/// A day, because clocks and time zones differ.
const GRACE: Duration = Duration::days(1);

/// Detects a version later than tomorrow: the next migration would sort before it.
fn in_future<'a>(context: &LintContext<'a>) -> Vec<Draft<'a>> {
    let version = context.file.migration.version;
    if !is_in_future(version, context.now + GRACE) {
        return Vec::new();
    }
    let draft = Draft::new(
        &VERSION_IN_FUTURE,
        context.file.script,
        format!(
            "the version {version} is in the future: a migration written tomorrow would come before it"
        ),
    )
    .safe_form("rename both files to a current timestamp, as `generate` does");
    vec![draft]
}

/// The largest number of milliseconds: fourteen digits start in the year 2286.
const MILLISECONDS: i64 = 9_999_999_999_999;

/// The smallest number that is larger than any tool's versions: nothing could be numbered after it.
const OUT_OF_REACH: i64 = 1_000_000_000_000_000_000;

/// Whether a version is a time after another: in milliseconds since 1970, or in the format of other tools, 20260131120000. A number of
/// that length that is neither is not a time: a counter, a date followed by a number, microseconds.
fn is_in_future(version: Version, latest: OffsetDateTime) -> bool {
    let number = version.number();
    match calendar(number) {
        Some(moment) => moment > latest,
        None if number > MILLISECONDS => number >= OUT_OF_REACH,
        None => OffsetDateTime::from_unix_timestamp_nanos(i128::from(number) * 1_000_000)
            .is_ok_and(|moment| moment > latest),
    }
}

/// Fourteen digits, or seventeen with milliseconds, that are a time in this or the last century.
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

/// New migrations with an earlier version than a merged one: where that one is applied, they are out of order. `base` holds the
/// merged versions.
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
                &VERSION_ORDER,
                &migration.script,
                format!(
                    "{} is earlier than the merged {newest}: wherever {newest} is applied, this migration is out of order",
                    migration.version
                ),
            )
            .safe_form(format!("rename both files to a version after {newest}"));
            rulebook.finding(service, migration, draft)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn only_versions_that_are_times_can_be_in_the_future() {
        let now = datetime!(2026-11-23 12:00 UTC);
        for number in [
            1,
            1_753_250_000_000,
            20_260_131_120_000,
            20_260_131_120_000_500,
            // Invalid days or hours; a date and a counter; microseconds.
            20_261_399_000_000,
            20_260_131_996_100,
            202_601_310_000_017,
            20_991_399_120_000_500,
            1_753_250_000_000_000,
            10_000_000_000_001,
        ] {
            assert!(!is_in_future(Version::new(number), now), "{number}");
        }
        for number in [
            4_102_444_800_000,
            20_261_224_120_000,
            20_990_131_120_000_500,
            i64::MAX,
        ] {
            assert!(is_in_future(Version::new(number), now), "{number}");
        }
    }
}
