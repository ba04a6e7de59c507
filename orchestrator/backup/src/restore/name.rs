//! The names of the databases beside a restored one, and the advisory lock of a restore.

use sha2::{Digest, Sha256};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use uuid::Uuid;

/// The infix between the base and the number of a restore.
const RESTORING: &str = "_restoring_";

/// The infix between the base and the time of replacement.
const KEPT: &str = "_before_";

/// PostgreSQL truncates names at 63 bytes, and the longer suffix has 24.
const LONGEST_BASE: usize = 39;

const NUMBER: usize = 8;

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]t[hour][minute][second]z");

/// The common prefix of the names: that of the database, or if it is too long, a part of it with a hash.
pub(super) fn base(database: &str) -> String {
    if database.len() <= LONGEST_BASE {
        return database.to_owned();
    }
    let hash = hexadecimal(&Sha256::digest(database), NUMBER);
    let mut end = LONGEST_BASE - NUMBER - 1;
    while !database.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_{hash}", &database[..end])
}

/// The name of the database that a restore fills. Unique per restore, so that leftover sessions of a killed restore cannot write to it.
pub(super) fn restoring(database: &str, restore: Uuid) -> String {
    let (_, random) = restore.as_u64_pair();
    let number = format!("{random:016x}");
    format!("{}{RESTORING}{}", base(database), &number[..NUMBER])
}

/// The base in the name of a database that a restore fills or left; `None` for other names.
pub(super) fn base_of_restoring(name: &str) -> Option<&str> {
    let (base, number) = name.rsplit_once(RESTORING)?;
    let is_number = number.len() == NUMBER && number.bytes().all(|it| it.is_ascii_hexdigit());
    (is_number && !base.is_empty()).then_some(base)
}

/// The name of a kept database that was replaced at a given time.
pub(super) fn kept(database: &str, at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    // Cannot fail: a time has all components of the format.
    let time = at.format(TIME).unwrap_or_default();
    format!("{}{KEPT}{time}", base(database))
}

/// The base and the time in the name of a kept database; `None` for other names.
pub(super) fn kept_since(name: &str) -> Option<(&str, OffsetDateTime)> {
    let (base, at) = name.rsplit_once(KEPT)?;
    let at = PrimitiveDateTime::parse(at, TIME).ok()?;
    (!base.is_empty()).then_some((base, at.assume_utc()))
}

/// The key of the advisory lock that a restore holds until it ends.
pub(super) fn lock_key(base: &str) -> i64 {
    let hash = Sha256::digest(format!("orchestrator restore {base}"));
    let mut key = [0; 8];
    key.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(key)
}

pub(super) fn hexadecimal(bytes: &[u8], digits: usize) -> String {
    let mut text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(digits);
    text
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_name_leads_back_to_its_database() {
        let name = restoring("soc_auth", Uuid::now_v7());
        assert_eq!(base_of_restoring(&name), Some("soc_auth"));
        let at = datetime!(2026-11-23 04:15:00 UTC);
        let name = kept("soc_auth", at);
        assert_eq!(name, "soc_auth_before_20261123t041500z");
        assert_eq!(kept_since(&name), Some(("soc_auth", at)));
    }

    #[test]
    fn names_fit_and_stay_apart() {
        let long = "ä".repeat(31);
        let other = format!("{}b", &long[..60]);
        let at = OffsetDateTime::now_utc();
        for database in [&long, &other] {
            assert!(kept(database, at).len() <= 63);
            assert!(restoring(database, Uuid::now_v7()).len() <= 63);
            let name = kept(database, at);
            assert_eq!(kept_since(&name).map(|it| it.0), Some(&*base(database)));
        }
        assert_ne!(base(&long), base(&other));
        assert_ne!(lock_key(&base(&long)), lock_key(&base(&other)));
    }

    #[test]
    fn other_databases_belong_to_no_service() {
        for other in [
            "soc_auth",
            "_restoring_00000000",
            "x_restoring_",
            "x_restoring_0000000g",
            "x_restoring_000000000",
        ] {
            assert_eq!(base_of_restoring(other), None, "{other}");
        }
        for other in [
            "soc_auth",
            "_before_20261123t041500z",
            "x_before_",
            "x_before_20261123",
            "x_before_20261323t041500z",
            "x_before_20261123t041500z_1",
        ] {
            assert_eq!(kept_since(other), None, "{other}");
        }
    }
}
