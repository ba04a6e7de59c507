//! What an engineer does about the sessions that block a lock.

use domain::Blocker;
use pg_sql::quote_literal;

/// How to end the blockers, as the beginning of a sentence.
pub(super) fn remedy(blockers: &[Blocker]) -> String {
    // A blocker that waits itself is released by ending the session that it waits for.
    let roots: Vec<&Blocker> = blockers
        .iter()
        .filter(|blocker| blocker.waits_for.is_empty())
        .collect();
    if roots
        .iter()
        .any(|blocker| blocker.query.ends_with("(to prevent wraparound)"))
    {
        return "wait until autovacuum finishes (it prevents wraparound: do not terminate it)"
            .to_owned();
    }
    let prepared: Vec<String> = roots
        .iter()
        .filter_map(|blocker| blocker.prepared.as_deref())
        .map(quote_literal)
        .collect();
    if let Some(first) = prepared.first() {
        return format!(
            "end the prepared transaction (COMMIT PREPARED {first} or ROLLBACK PREPARED {first})"
        );
    }
    let pids: Vec<String> = roots
        .iter()
        .filter(|blocker| blocker.pid != 0)
        .map(|blocker| blocker.pid.to_string())
        .collect();
    match pids.as_slice() {
        [] => "end the session that holds the lock, or wait for it".to_owned(),
        [pid] => {
            format!(
                "end the session that holds the lock (SELECT pg_terminate_backend({pid})), or wait for it"
            )
        }
        many => format!(
            "end the sessions that hold the lock (SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[{}]) pid), or wait for them",
            many.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(pid: i32, waits_for: &[i32], query: &str) -> Blocker {
        Blocker {
            pid,
            user: "app".to_owned(),
            application: String::new(),
            state: "active".to_owned(),
            transaction_age_s: 1,
            query: query.to_owned(),
            prepared: None,
            waits_for: waits_for.to_vec(),
        }
    }

    #[test]
    fn the_session_at_the_root_is_to_end() {
        let blockers = [session(7, &[], "SELECT 1"), session(8, &[7], "LOCK t")];
        assert_eq!(
            remedy(&blockers),
            "end the session that holds the lock (SELECT pg_terminate_backend(7)), or wait for it"
        );
    }

    #[test]
    fn several_are_ended_by_one_statement() {
        let blockers = [session(7, &[], ""), session(9, &[], "")];
        assert!(remedy(&blockers).contains("unnest(ARRAY[7, 9]) pid"));
    }

    #[test]
    fn a_prepared_transaction_is_ended_by_its_identifier() {
        let mut blocker = session(0, &[], "");
        blocker.prepared = Some("it's".to_owned());
        assert!(remedy(&[blocker]).contains("ROLLBACK PREPARED 'it''s'"));
    }

    #[test]
    fn autovacuum_against_wraparound_is_left_alone() {
        let blocker = session(
            7,
            &[],
            "autovacuum: VACUUM public.t (to prevent wraparound)",
        );
        assert!(remedy(&[blocker]).starts_with("wait until autovacuum"));
    }
}
