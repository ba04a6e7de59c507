//! Maps the rows of the legacy tool to our migrations. Pure.

use std::collections::BTreeMap;

use domain::{Migration, Refusal, RefusalKind, Service, Version, rerun};
use store::{LegacyRow, LegacyTable};

/// A legacy history that is a prefix of our migrations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LegacyHistory {
    /// The legacy rows of each migration, formatted for display.
    pub stands_for: BTreeMap<Version, Vec<String>>,
}

impl LegacyHistory {
    /// The newest migration with a row.
    pub(super) fn newest(&self) -> Option<Version> {
        self.stands_for
            .last_key_value()
            .map(|(version, _)| *version)
    }

    /// All rows, in migration order.
    pub(super) fn rows(&self) -> Vec<String> {
        self.stands_for.values().flatten().cloned().collect()
    }
}

/// Maps each row to the migration with the same version and name. Refuses rows that match no migration, and gaps between
/// the rows that do.
pub(super) fn match_rows(
    service: &Service,
    tables: &[LegacyTable],
) -> Result<LegacyHistory, Refusal> {
    let mut history = LegacyHistory::default();
    let mut unknown = Vec::new();
    for table in tables {
        for row in &table.rows {
            match service.migration(row.version) {
                Some(migration) if is_of(row, migration) => {
                    let rows = history.stands_for.entry(row.version).or_default();
                    rows.push(table.describe(row));
                }
                _ => unknown.push(table.describe(row)),
            }
        }
    }
    if !unknown.is_empty() {
        return Err(refusal(
            service,
            format!(
                "the legacy history has rows that match no migration: {}",
                unknown.join(", ")
            ),
            rerun(format!(
                "first add a migration with that version and name to {}, or find out where the row comes from",
                service.name
            )),
        ));
    }
    refuse_gaps(service, &history)?;
    Ok(history)
}

fn refuse_gaps(service: &Service, history: &LegacyHistory) -> Result<(), Refusal> {
    let Some(newest) = history.newest() else {
        return Ok(());
    };
    let gaps: Vec<String> = service
        .migrations
        .iter()
        .filter(|migration| migration.version < newest)
        .filter(|migration| !history.stands_for.contains_key(&migration.version))
        .map(|migration| format!("{} {}", migration.version, migration.name))
        .collect();
    if gaps.is_empty() {
        return Ok(());
    }
    Err(refusal(
        service,
        format!(
            "the legacy history has a gap: it has a row for {newest} but none for {}",
            gaps.join(", ")
        ),
        rerun(
            "first find out whether that migration ran; then insert its row into the legacy table, or run it with the legacy tool",
        ),
    ))
}

fn refusal(service: &Service, message: String, next: String) -> Refusal {
    Refusal {
        kind: RefusalKind::LegacyHistory,
        service: Some(service.name.clone()),
        message,
        next,
    }
}

/// Whether a row belongs to a migration: `CreateAITables1706205000000` is `create_ai_tables` with that version.
fn is_of(row: &LegacyRow, migration: &Migration) -> bool {
    let class = row
        .name
        .strip_suffix(&row.version.to_string())
        .unwrap_or(&row.name);
    let letters = |name: &str| -> String {
        name.chars()
            .filter(|character| character.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    row.version == migration.version && letters(class) == letters(&migration.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Checksum, Directives, Script};

    fn migration(version: i64, name: &str) -> Migration {
        Migration {
            version: Version::new(version),
            name: name.to_owned(),
            checksum: Checksum::new(0),
            script: Script {
                path: format!("V{version}__{name}.sql"),
                text: "".into(),
                directives: Directives::default(),
            },
            revert: None,
        }
    }

    fn service() -> Service {
        Service {
            name: "ai".parse().unwrap(),
            database: "soc_ai".to_owned(),
            depends_on: Vec::new(),
            history_table: None,
            legacy_table: None,
            description: None,
            owner: None,
            path: "services/ai".to_owned(),
            migrations: vec![
                migration(10, "create_ai_tables"),
                migration(20, "add_is_template"),
                migration(30, "fix_2_things"),
            ],
        }
    }

    fn table(rows: &[(i64, &str)]) -> LegacyTable {
        LegacyTable {
            schema: "public".to_owned(),
            table: "migrations".to_owned(),
            rows: rows
                .iter()
                .zip(1..)
                .map(|((version, name), id)| LegacyRow {
                    id,
                    version: Version::new(*version),
                    name: (*name).to_owned(),
                })
                .collect(),
        }
    }

    #[test]
    fn class_names_match_file_names() {
        let rows = [
            (10, "CreateAITables10"),
            (20, "AddIsTemplate20"),
            (30, "fix2Things30"),
        ];
        let history = match_rows(&service(), &[table(&rows)]).unwrap();
        assert_eq!(history.newest(), Some(Version::new(30)));
        assert_eq!(history.rows().len(), 3);
        assert_eq!(
            history.stands_for[&Version::new(10)],
            ["public.migrations 1 CreateAITables10"]
        );
    }

    #[test]
    fn two_tables_form_one_history() {
        let tables = [
            table(&[(10, "CreateAITables10")]),
            table(&[(20, "AddIsTemplate20")]),
        ];
        assert_eq!(
            match_rows(&service(), &tables).unwrap().newest(),
            Some(Version::new(20))
        );
    }

    #[test]
    fn an_empty_history_has_no_newest_version() {
        assert_eq!(match_rows(&service(), &[]).unwrap().newest(), None);
        assert_eq!(
            match_rows(&service(), &[table(&[])]).unwrap().newest(),
            None
        );
    }

    #[test]
    fn other_names_and_other_versions_are_unknown() {
        for row in [(10, "CreateTables10"), (11, "CreateAITables11"), (10, "")] {
            let refusal = match_rows(&service(), &[table(&[row])]).unwrap_err();
            assert_eq!(refusal.kind, RefusalKind::LegacyHistory);
            assert!(refusal.message.contains(row.1), "{refusal}");
        }
    }

    #[test]
    fn a_gap_names_the_missing_migration() {
        let rows = [(10, "CreateAITables10"), (30, "Fix2Things30")];
        let refusal = match_rows(&service(), &[table(&rows)]).unwrap_err();
        assert!(
            refusal.message.contains("none for 20 add_is_template"),
            "{refusal}"
        );
    }
}
