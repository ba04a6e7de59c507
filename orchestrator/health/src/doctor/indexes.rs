//! Invalid indexes, left by a failed `CONCURRENTLY`.

use super::checks::{Database, busy};
use super::queries::IndexRow;
use super::{Finding, Remedy, Repair, Severity};
use domain::commented;

const KIND: &str = "invalid_index";

pub(super) fn check(database: &Database<'_>) -> Vec<Finding> {
    let indexes = database.rows.indexes.iter();
    indexes.map(|index| judge(database, index)).collect()
}

fn judge(database: &Database<'_>, index: &IndexRow) -> Finding {
    let what = format!("index {} on {} is INVALID", index.qualified, index.table);
    if index.under_way || database.is_running() {
        let what = format!("{what}: it is being built");
        return database.finding(KIND, Severity::Note, what, busy(database.name()), None);
    }
    if index.partitioned {
        let what = format!("{what}: the index of some partition is not attached");
        let next = commented(
            database.orchestrator("doctor"),
            format!(
                "first attach the index of each partition: ALTER INDEX {} ATTACH PARTITION …",
                index.qualified
            ),
        );
        return database.finding(KIND, Severity::Warning, what, next, None);
    }
    if is_copy(&index.name) {
        let what = format!("{what}: left by an interrupted REINDEX CONCURRENTLY");
        return dropped(database, index, what);
    }
    if let Some(resume) = database.resume() {
        let what = format!("{what}: the interrupted step rebuilds it if it created it");
        return database.finding(KIND, Severity::Warning, what, resume, None);
    }
    if is_of_history(database, &index.name) {
        // Rebuilt instead of dropped: an applied migration created it.
        let what = format!("{what}, and an applied migration creates it");
        let sql = format!("REINDEX INDEX CONCURRENTLY {}", index.qualified);
        let remedy = Remedy::asks(Repair::Locked(sql.clone()));
        return database.finding(KIND, Severity::Error, what, sql, Some(remedy));
    }
    dropped(
        database,
        index,
        format!("{what}: it slows down writes, and no query uses it"),
    )
}

fn dropped(database: &Database<'_>, index: &IndexRow, what: String) -> Finding {
    let sql = format!("DROP INDEX CONCURRENTLY {}", index.qualified);
    let remedy = Remedy::safe(Repair::Locked(sql.clone()));
    database.finding(KIND, Severity::Warning, what, sql, Some(remedy))
}

/// Whether `REINDEX CONCURRENTLY` generates such a name: `…_ccnew` or `…_ccold`, optionally with a number.
fn is_copy(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    stem.ends_with("_ccnew") || stem.ends_with("_ccold")
}

/// Whether an applied migration mentions the index. Of other services in the database every migration counts, because their
/// histories may not have been read.
fn is_of_history(database: &Database<'_>, name: &str) -> bool {
    let applied = database.history.applied.iter();
    let own = applied.filter_map(|row| database.service.migration(row.version));
    let neighbours = database.neighbours.iter();
    let others = neighbours.flat_map(|service| service.migrations.iter());
    own.chain(others)
        .any(|migration| names(&migration.script.text, name))
}

/// Whether a text contains a name as a whole word. Ignores case, because unquoted names are folded.
fn names(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_lowercase(), name.to_lowercase());
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.match_indices(&name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_known_by_their_names() {
        for copy in ["t_id_ccnew", "t_id_ccold", "t_id_ccnew12"] {
            assert!(is_copy(copy), "{copy}");
        }
        for other in ["t_id", "ccnew", "t_ccnews", "t_ccnew_id"] {
            assert!(!is_copy(other), "{other}");
        }
    }

    #[test]
    fn a_name_is_found_as_a_whole_word() {
        assert!(names("CREATE INDEX T_ID ON t (id)", "t_id"));
        assert!(names("create index \"T_id\" on t", "T_id"));
        assert!(!names("CREATE INDEX t_id2 ON t (id)", "t_id"));
        assert!(!names("CREATE INDEX st_id ON t (id)", "t_id"));
    }
}
