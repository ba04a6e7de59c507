//! Selects the version that matches a live schema. Pure.

use domain::{ColumnOrder, SchemaDifference, Version};

/// A version that could be adopted, and how the live schema differs from the schema of that version.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub version: Version,
    /// Whether its catalog differs from the catalog of the previous version.
    pub changes_schema: bool,
    /// The objects that differ and are not accepted.
    pub differences: Vec<SchemaDifference>,
    /// The objects that differ as accepted.
    pub accepted: Vec<SchemaDifference>,
    /// An object whose accepted difference hides whether the migrations after the first candidate ran: one of them
    /// changes the same fact.
    pub hides: Option<String>,
    /// Tables whose columns are in a different order.
    pub column_order: Vec<ColumnOrder>,
}

/// The newest version whose schema equals the live schema.
///
/// `vouched` is the newest version with a legacy row, or the baseline. Beyond it only the schema proves what ran. An
/// accepted difference may be exactly what an unvouched migration changes, so it counts as a difference there. The
/// catalog also does not show whether versions that change only rows ran: they count only up to `vouched`.
pub(super) fn proven(candidates: &[Candidate], vouched: Option<Version>) -> Option<&Candidate> {
    let is_equal = |candidate: &Candidate| {
        let may_accept = vouched.is_none_or(|vouched| candidate.version <= vouched);
        candidate.differences.is_empty() && (may_accept || candidate.accepted.is_empty())
    };
    let mut at = candidates.iter().rposition(is_equal)?;
    while at > 0
        && !candidates[at].changes_schema
        && vouched.is_none_or(|vouched| candidates[at].version > vouched)
        && is_equal(&candidates[at - 1])
    {
        at -= 1;
    }
    candidates.get(at)
}

/// The version from which the live schema differs in the fewest objects. On a tie the oldest: nothing proves that the newer
/// ones ran.
pub(super) fn nearest(candidates: &[Candidate]) -> Option<&Candidate> {
    candidates
        .iter()
        .min_by_key(|candidate| candidate.differences.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference() -> SchemaDifference {
        SchemaDifference {
            kind: "table".to_owned(),
            object: "public.t".to_owned(),
            expected: None,
            found: Some(String::new()),
            facts: Vec::new(),
        }
    }

    fn candidate(version: i64, changes_schema: bool, differences: usize) -> Candidate {
        Candidate {
            version: Version::new(version),
            changes_schema,
            differences: vec![difference(); differences],
            accepted: Vec::new(),
            hides: None,
            column_order: Vec::new(),
        }
    }

    fn version(candidate: Option<&Candidate>) -> Option<i64> {
        candidate.map(|candidate| candidate.version.number())
    }

    #[test]
    fn the_newest_equal_version_is_proven() {
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
    fn a_version_that_changes_only_rows_requires_a_legacy_row() {
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
    fn accepted_differences_prove_nothing_beyond_the_legacy_rows() {
        let with_accepted = |version| Candidate {
            accepted: vec![difference()],
            ..candidate(version, true, 0)
        };
        let vouched = |number| Some(Version::new(number));
        let candidates = [candidate(1, true, 1), with_accepted(2)];
        assert_eq!(version(proven(&candidates, vouched(1))), None);
        assert_eq!(version(proven(&candidates, vouched(2))), Some(2));
        let both = [with_accepted(1), with_accepted(2)];
        assert_eq!(version(proven(&both, vouched(1))), Some(1));
        // Without legacy rows or a baseline, the version is only suggested.
        assert_eq!(version(proven(&candidates, None)), Some(2));
    }

    #[test]
    fn the_nearest_differs_in_the_fewest_objects_and_is_the_oldest_of_those() {
        let candidates = [
            candidate(1, true, 2),
            candidate(2, true, 1),
            candidate(3, true, 1),
            candidate(4, true, 5),
        ];
        assert_eq!(version(nearest(&candidates)), Some(2));
    }
}
