//! Schemas and extensions.
//!
//! Every database initially has the schema `public`: only differences from the initial state of *that* version are
//! included, so that 14 and 15 are equal.

use super::family::{Family, KindOf, Naming};
use super::session::Server;
use super::sql::{made_later, not_member, owner, user_schema};
use crate::kind::Kind;
use crate::object::{Object, ObjectId, RoleFacts};

/// The comment that `initdb` sets on `public`.
const STANDARD_COMMENT: &str = "standard public schema";

/// All schemas. The owner of `public` is included only if it is not the initial one (the bootstrap superuser, since 15
/// `pg_database_owner`). Its access list is compared with that of a new database, not with `pg_init_privs`, whose entry
/// is lost when the schema is dropped and recreated.
pub(super) fn schemas(server: &Server) -> Family {
    let standard_owner = server.since(15, "'pg_database_owner'", "pg_get_userbyid(10)");
    let everyone_creates = server.since(15, "", " || makeaclitem(0, n.nspowner, 'CREATE', false)");
    let (user_schema, not_member) = (user_schema("n"), not_member("pg_namespace", "n.oid"));
    Family {
        catalog: "pg_namespace",
        kind: KindOf::All(Kind::Schema),
        naming: Naming::Plain,
        class: 'n',
        attributes: &["standard"],
        sql: format!(
            "SELECT n.oid, n.nspname AS name, {owner},
                CASE WHEN n.nspname = 'public' AND pg_get_userbyid(n.nspowner) = {standard_owner} THEN 'yes' END AS standard,
                array_to_string(COALESCE(n.nspacl, acldefault('n', n.nspowner)), E'\\n') AS acl,
                array_to_string(CASE WHEN n.nspname = 'public'
                    THEN acldefault('n', n.nspowner) || makeaclitem(0, n.nspowner, 'USAGE', false){everyone_creates}
                    ELSE acldefault('n', n.nspowner) END, E'\\n') AS acl_base
            FROM pg_namespace AS n
            WHERE {user_schema} AND {not_member}",
            owner = owner("n.nspowner"),
        ),
    }
}

/// Extensions, except those that every database initially has.
pub(super) fn extensions() -> Family {
    Family {
        catalog: "pg_extension",
        kind: KindOf::All(Kind::Extension),
        naming: Naming::Plain,
        class: ' ',
        attributes: &["version", "schema"],
        sql: format!(
            "SELECT e.oid, e.extname AS name, e.extversion AS version, quote_ident(n.nspname) AS schema
            FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
            WHERE {}",
            made_later("e.oid"),
        )
    }
}

/// Removes from `public` what every new database has, and adds the schema if it was dropped: `pg_dump` prints neither.
pub(super) fn settled(mut objects: Vec<Object>) -> Vec<Object> {
    let id = ObjectId {
        kind: Kind::Schema,
        name: "public".to_owned(),
    };
    match objects
        .iter_mut()
        .find(|object| object.kind == Kind::Schema && object.name == id.name)
    {
        Some(public) => {
            if public.attributes.remove("standard").is_some() {
                public.attributes.remove("owner");
                public.roles.owner = None;
            }
            match public.attribute("comment") {
                Some(STANDARD_COMMENT) => public.attributes.remove("comment"),
                Some(_) => None,
                None => public.attributes.insert("comment", String::new()),
            };
        }
        None => objects.push(Object {
            kind: Kind::Schema,
            schema: None,
            bare_name: id.name.clone(),
            name: id.name,
            parent: None,
            attributes: std::collections::BTreeMap::new(),
            position: None,
            mentions: None,
            roles: RoleFacts::default(),
        }),
    }
    objects
}
