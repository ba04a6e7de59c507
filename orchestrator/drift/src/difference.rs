//! Converts the catalog's comparison to domain types.

use catalog::{AttributeDifference, Difference, Kind, ObjectId, Snapshot};
use domain::{ColumnOrder, FactDifference, SchemaDifference};

use super::Live;

/// How a live schema differs from the expected one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// The objects that differ.
    pub differences: Vec<SchemaDifference>,
    /// Tables whose columns are in a different order.
    pub column_order: Vec<ColumnOrder>,
    /// INVALID indexes that only the live database has, left by a failed `CONCURRENTLY`.
    pub invalid_indexes: Vec<String>,
}

/// Compares a live schema with what migrations produced.
pub fn differences(expected: &Snapshot, live: &Live) -> Differences {
    let found = live.without_legacy(
        |schema, table| expected.columns_of(schema, table).next().is_some(),
        |schema| expected.object(&schema_id(schema)).is_some(),
    );
    let comparison = catalog::compare(expected, &found);
    Differences {
        differences: comparison
            .differences
            .into_iter()
            .filter(|difference| !is_of_its_creation(difference, &found))
            .map(schema_difference)
            .collect(),
        column_order: comparison
            .column_order
            .into_iter()
            .map(|order| ColumnOrder {
                table: order.table,
                expected: order.expected,
                found: order.found,
            })
            .collect(),
        invalid_indexes: comparison.invalid_indexes,
    }
}

/// Converts one difference.
pub fn schema_difference(difference: Difference) -> SchemaDifference {
    SchemaDifference {
        kind: difference.kind.to_string(),
        object: difference.object,
        expected: difference.expected,
        found: difference.found,
        facts: difference
            .facts
            .into_iter()
            .map(|attribute| FactDifference {
                fact: attribute.name,
                expected: attribute.expected,
                found: attribute.found,
            })
            .collect(),
    }
}

/// Before PostgreSQL 15 every role may create in `public`, unless that was revoked when the database was created, as we do. No
/// migration makes that difference.
pub fn is_of_its_creation(difference: &Difference, found: &Snapshot) -> bool {
    let revokes_create = |fact: &AttributeDifference| {
        let side = fact.expected.as_deref().or(fact.found.as_deref());
        fact.name == "grant" && side == Some("REVOKE CREATE FROM PUBLIC")
    };
    found.server_version() < 150_000
        && difference.kind == Kind::Schema
        && difference.object == "public"
        && !difference.facts.is_empty()
        && difference.facts.iter().all(revokes_create)
}

fn schema_id(schema: &str) -> ObjectId {
    ObjectId {
        kind: Kind::Schema,
        name: pg_sql::quote_identifier(schema),
    }
}

/// The warning when the live server and the scratch server have different major versions.
pub fn other_major(live: &str, scratch: &str) -> Option<String> {
    // `15.18 (Debian 15.18-1)`, `19beta1`.
    let major = |version: &str| -> String {
        version
            .chars()
            .take_while(|character| character.is_ascii_digit())
            .collect()
    };
    (major(live) != major(scratch)).then(|| {
        format!(
            "the live server runs PostgreSQL {live}, the scratch server {scratch}: the same SQL may produce slightly different \
             objects; choose a server of the same version with --scratch-server"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::other_major;

    #[test]
    fn only_different_major_versions_are_reported() {
        assert_eq!(other_major("15.18", "15.3 (Debian 15.3-1)"), None);
        assert_eq!(other_major("19beta1", "19.0"), None);
        let warning = other_major("14.23", "15.18").unwrap();
        assert!(
            warning.contains("14.23") && warning.contains("15.18"),
            "{warning}"
        );
    }
}
