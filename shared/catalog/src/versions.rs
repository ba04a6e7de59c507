//! Facts that differ only because the servers have different major versions.
//!
//! Keeps a comparison of 14 with 18 from reporting false differences. Does not normalize text: each server prints
//! views in its own form.

use crate::kind::Kind;
use crate::object::Object;
use crate::privileges::Effect;
use crate::role::Role;
use crate::snapshot::Snapshot;

/// The attributes of an object that only one of the snapshots can contain: before 18, NOT NULL has no name, and only
/// superusers see some secrets.
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

/// The object of `own`, adjusted for comparison with `other`: before 15, every role could create objects in `public`
/// initially, so a newer server cannot show that this privilege was revoked.
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

/// Whether exactly one of them is older than the major version.
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
    fn public_without_privileges_is_equal_on_14_and_15() {
        let old = public(140_000, "o=UC/o\n=UC/o", "o=UC/o");
        assert!(compare(&old, &public(150_000, "o=UC/o\n=U/o", "o=UC/o")).is_same());
        assert!(compare(&old, &old).is_same());
        assert!(!compare(&old, &public(150_000, "o=UC/o\n=U/o", "o=UC/o\n=U/o")).is_same());
    }

    #[test]
    fn revoking_create_is_a_difference_between_two_14_servers() {
        let locked = public(140_000, "o=UC/o\n=UC/o", "o=UC/o\n=U/o");
        let open = public(140_000, "o=UC/o\n=UC/o", "o=UC/o\n=UC/o");
        assert!(!compare(&locked, &open).is_same());
        assert!(compare(&locked, &public(150_000, "o=UC/o\n=U/o", "o=UC/o\n=U/o")).is_same());
    }

    #[test]
    fn not_null_names_are_compared_only_if_both_versions_have_them() {
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
