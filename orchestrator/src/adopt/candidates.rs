//! Which version a live schema is that of. Pure.

use shared::domain::{ColumnOrder, SchemaDifference, Version};

/// A version that could be adopted, and how the live schema differs from what it makes.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// The version.
    pub version: Version,
    /// Whether its catalog differs from that of the version before it.
    pub changes_schema: bool,
    /// The objects that differ and were not accepted beforehand.
    pub differences: Vec<SchemaDifference>,
    /// Differences that were accepted beforehand.
    pub accepted: Vec<SchemaDifference>,
    /// Tables whose columns stand in another order.
    pub column_order: Vec<ColumnOrder>,
}

/// The newest version whose schema is the live one.
///
/// The newest versions may change no schema (they change rows): nothing in the catalog says whether those ran. They count only
/// as far as `vouched` reaches, the newest version with a legacy row.
pub(super) fn proven(candidates: &[Candidate], vouched: Option<Version>) -> Option<&Candidate> {
    let mut at = candidates
        .iter()
        .rposition(|candidate| candidate.differences.is_empty())?;
    while at > 0
        && !candidates[at].changes_schema
        && vouched.is_none_or(|vouched| candidates[at].version > vouched)
        && candidates[at - 1].differences.is_empty()
    {
        at -= 1;
    }
    candidates.get(at)
}

/// The version from which the live schema differs in the fewest objects; of several the newest.
pub(super) fn nearest(candidates: &[Candidate]) -> Option<&Candidate> {
    candidates
        .iter()
        .rev()
        .min_by_key(|candidate| candidate.differences.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(version: i64, changes_schema: bool, differences: usize) -> Candidate {
        let difference = SchemaDifference {
            kind: "table".to_owned(),
            object: "public.t".to_owned(),
            expected: None,
            found: Some(String::new()),
        };
        Candidate {
            version: Version::new(version),
            changes_schema,
            differences: vec![difference; differences],
            accepted: Vec::new(),
            column_order: Vec::new(),
        }
    }

    fn version(candidate: Option<&Candidate>) -> Option<i64> {
        candidate.map(|candidate| candidate.version.number())
    }

    #[test]
    fn the_newest_equal_one_is_proven() {
        let candidates = [
            candidate(1, true, 3),
            candidate(2, true, 0),
            candidate(3, true, 0),
            candidate(4, true, 1),
        ];
        assert_eq!(version(proven(&candidates, None)), Some(3));
        assert_eq!(version(proven(&candidates[..1], None)), None);
        assert_eq!(version(proven(&[], None)), None);
    }

    #[test]
    fn what_only_changes_rows_needs_a_row_that_vouches_for_it() {
        let candidates = [
            candidate(1, true, 0),
            candidate(2, false, 0),
            candidate(3, false, 0),
        ];
        let vouched = |number| Some(Version::new(number));
        assert_eq!(version(proven(&candidates, vouched(1))), Some(1));
        assert_eq!(version(proven(&candidates, vouched(2))), Some(2));
        assert_eq!(version(proven(&candidates, vouched(3))), Some(3));
        assert_eq!(version(proven(&candidates, None)), Some(1));
    }

    #[test]
    fn the_nearest_differs_in_the_fewest_objects() {
        let candidates = [
            candidate(1, true, 2),
            candidate(2, true, 1),
            candidate(3, true, 1),
            candidate(4, true, 5),
        ];
        assert_eq!(version(nearest(&candidates)), Some(3));
    }
}
