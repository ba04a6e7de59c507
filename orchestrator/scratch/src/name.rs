//! The names of scratch databases, and the advisory lock that belongs to a name.

use uuid::Uuid;

/// The prefix of every scratch database.
const PREFIX: &str = "orchestrator_scratch_";

/// The name of a command's scratch database number `number`.
pub(super) fn database(owner: Uuid, number: usize) -> String {
    format!("{PREFIX}{}_{number}", owner.simple())
}

/// The owner of a scratch database; `None` for other databases.
pub(super) fn owner(database: &str) -> Option<Uuid> {
    let rest = database.strip_prefix(PREFIX)?;
    let (owner, number) = rest.split_once('_')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || owner.len() != 32 {
        return None;
    }
    Uuid::try_parse(owner).ok()
}

/// The key of the advisory lock that an owner holds while it lives: the random half of its UUID.
pub(super) fn lock_key(owner: Uuid) -> i64 {
    let (_, random) = owner.as_u64_pair();
    random.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_owner() {
        let me = Uuid::now_v7();
        assert_eq!(owner(&database(me, 12)), Some(me));
        assert!(
            database(me, 100).len() < 64,
            "PostgreSQL cuts names at 63 bytes"
        );
    }

    #[test]
    fn other_databases_have_no_owner() {
        for other in [
            "soc_auth",
            "orchestrator_scratch_",
            "orchestrator_scratch_mine",
            "orchestrator_scratch_00000000000000000000000000000000",
            "orchestrator_scratch_00000000000000000000000000000000_x",
            "orchestrator_scratch_000000000000000000000000000000_1",
            "orchestrator_scratch_0000000000000000000000000000000z_1",
        ] {
            assert_eq!(owner(other), None, "{other}");
        }
    }

    #[test]
    fn owners_from_the_same_millisecond_have_different_locks() {
        assert_ne!(lock_key(Uuid::now_v7()), lock_key(Uuid::now_v7()));
    }
}
