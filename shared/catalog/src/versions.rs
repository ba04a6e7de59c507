//! What two servers of different major versions cannot agree on.
//!
//! Responsible for facts that come from the version alone, so that comparing a 14 with an 18 does not invent
//! differences. Not for spelling: the text of a view is the server's own.
//! Second floor: on snapshots.

use crate::kind::Kind;
use crate::object::Object;
use crate::privileges::Effect;
use crate::role::Role;
use crate::snapshot::Snapshot;

/// Facts of such an object that only one of the two can know: before 18, NOT NULL has no name; and some
/// secrets are for superusers alone.
pub(crate) fn unknown_to_one(
    kind: Kind,
    one: &Snapshot,
    other: &Snapshot,
) -> &'static [&'static str] {
    match kind {
        Kind::Column | Kind::Domain if straddle(18, one, other) => &[
            "not null constraint",
            "not null options",
            "not null comment",
        ],
        Kind::UserMapping if one.sees_secrets() != other.sees_secrets() => &["options"],
        Kind::Subscription if one.sees_secrets() != other.sees_secrets() => &["connection digest"],
        _ => &[],
    }
}

/// The object of `own` as it stands beside one of `other`: before 15, everyone could create in `public`
/// from the start, so having taken that away is nothing that a newer server could tell.
pub(crate) fn beside(object: &Object, own: &Snapshot, other: &Snapshot) -> Object {
    let mut object = object.clone();
    let public = object.kind == Kind::Schema && object.name == "public";
    if public && own.server_version() < 150_000 && straddle(15, own, other) {
        object.roles.grants.retain_mut(|grant| {
            if grant.effect == Effect::Revoke && grant.grantee == Role::Public {
                if grant.privileges == "ALL" {
                    grant.privileges = "USAGE".to_owned();
                }
                return grant.privileges != "CREATE";
            }
            true
        });
        object.spell_roles();
    }
    object
}

/// Whether one is older than a major version, and the other is not.
fn straddle(major: u32, one: &Snapshot, other: &Snapshot) -> bool {
    (one.server_version() / 10_000 < major) != (other.server_version() / 10_000 < major)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::compare::compare;
    use crate::kind::Kind;
    use crate::object::{Object, RoleFacts};
    use crate::privileges::relative;
    use crate::role::Role;
    use crate::snapshot::Snapshot;

    fn public(version: u32, base: &str, acl: &str) -> Snapshot {
        let owner = Role::named("o");
        let mut object = Object {
            kind: Kind::Schema,
            schema: None,
            name: "public".to_owned(),
            parent: None,
            attributes: BTreeMap::new(),
            bare_name: "public".to_owned(),
            position: None,
            mentions: None,
            roles: RoleFacts {
                grants: relative(acl, base, 'n', Some(&owner)),
                ..RoleFacts::default()
            },
        };
        object.spell_roles();
        Snapshot::new(version, true, vec![object])
    }

    #[test]
    fn public_without_privileges_is_the_same_on_14_and_15() {
        let old = public(140_000, "o=UC/o\n=UC/o", "o=UC/o");
        assert!(compare(&old, &public(150_000, "o=UC/o\n=U/o", "o=UC/o")).is_same());
        assert!(compare(&old, &old).is_same());
        assert!(!compare(&old, &public(150_000, "o=UC/o\n=U/o", "o=UC/o\n=U/o")).is_same());
    }

    #[test]
    fn between_two_of_14_taking_create_away_is_a_difference() {
        let locked = public(140_000, "o=UC/o\n=UC/o", "o=UC/o\n=U/o");
        let open = public(140_000, "o=UC/o\n=UC/o", "o=UC/o\n=UC/o");
        assert!(!compare(&locked, &open).is_same());
        assert!(compare(&locked, &public(150_000, "o=UC/o\n=U/o", "o=UC/o\n=U/o")).is_same());
    }

    #[test]
    fn names_of_not_null_are_compared_only_where_both_know_them() {
        let column = |version, name: Option<&str>| {
            let object = Object {
                kind: Kind::Column,
                schema: Some("s".to_owned()),
                name: "s.t.c".to_owned(),
                parent: None,
                attributes: name
                    .map(|name| ("not null constraint", name.to_owned()))
                    .into_iter()
                    .collect(),
                bare_name: "c".to_owned(),
                position: Some(1),
                mentions: None,
                roles: RoleFacts::default(),
            };
            Snapshot::new(version, true, vec![object])
        };
        assert!(compare(&column(170_000, None), &column(180_000, Some("other"))).is_same());
        assert!(!compare(&column(180_000, None), &column(180_000, Some("other"))).is_same());
    }
}
