//! Versions: moments that have been, each after those before.

use shared::domain::{Finding, Service, Version};
use time::{Duration, OffsetDateTime};

use crate::lint::look::Look;
use crate::rules::{Draft, Rulebook, slugs};

/// Clocks differ, and so do time zones.
const GRACE: Duration = Duration::days(1);

/// A version later than tomorrow: whatever is written next sorts before it.
pub(super) fn in_future<'a>(look: &Look<'a>, now: OffsetDateTime) -> Vec<Draft<'a>> {
    let version = look.file.migration.version;
    let latest = now + GRACE;
    if i128::from(version.number()) * 1_000_000 <= latest.unix_timestamp_nanos() {
        return Vec::new();
    }
    let draft = Draft::new(
        &slugs::VERSION_IN_FUTURE,
        look.file.script,
        format!(
            "{version} is a moment in the future: a migration written tomorrow would come before it"
        ),
    )
    .safe_form("number it with the present moment: orchestrator generate does");
    vec![draft]
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
            .safe_form("give it a version of now: rename both files");
            rulebook.finding(service, migration, draft)
        })
        .collect()
}
