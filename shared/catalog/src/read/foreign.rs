//! Foreign data wrappers, servers and user mappings.
//!
//! A user mapping's option values are secrets: each is represented by a digest, which is enough to detect a change.

use super::family::{Family, KindOf, Naming};
use super::sql::{acl, foreign_options, made_later, named, not_member, owner};
use crate::kind::Kind;

pub(super) fn families() -> Vec<Family> {
    vec![wrappers(), servers(), user_mappings()]
}

fn wrappers() -> Family {
    Family {
        catalog: "pg_foreign_data_wrapper",
        kind: KindOf::All(Kind::ForeignDataWrapper),
        naming: Naming::Plain,
        class: 'F',
        attributes: &["handler", "validator", "options"],
        sql: format!(
            "SELECT w.oid, w.fdwname AS name, {owner}, {acl}, {handler} AS handler, {validator} AS validator, {options} AS options
            FROM pg_foreign_data_wrapper AS w WHERE {later} AND {not_member}",
            owner = owner("w.fdwowner"),
            acl = acl("w.fdwacl", "'F'", "w.fdwowner"),
            handler = named("w.fdwhandler", "regproc"),
            validator = named("w.fdwvalidator", "regproc"),
            options = foreign_options("w.fdwoptions"),
            later = made_later("w.oid"),
            not_member = not_member("pg_foreign_data_wrapper", "w.oid"),
        ),
    }
}

fn servers() -> Family {
    Family {
        catalog: "pg_foreign_server",
        kind: KindOf::All(Kind::ForeignServer),
        naming: Naming::Plain,
        class: 'S',
        attributes: &["wrapper", "type", "version", "options"],
        sql: format!(
            "SELECT s.oid, s.srvname AS name, {owner}, {acl}, quote_ident(w.fdwname) AS wrapper, s.srvtype AS type,
                s.srvversion AS version, {options} AS options
            FROM pg_foreign_server AS s JOIN pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw WHERE {not_member}",
            owner = owner("s.srvowner"),
            acl = acl("s.srvacl", "'S'", "s.srvowner"),
            options = foreign_options("s.srvoptions"),
            not_member = not_member("pg_foreign_server", "s.oid"),
        ),
    }
}

fn user_mappings() -> Family {
    Family {
        catalog: "pg_user_mapping",
        kind: KindOf::All(Kind::UserMapping),
        naming: Naming::AsWritten,
        class: ' ',
        attributes: &["options"],
        sql: "SELECT u.umid AS oid, CASE WHEN u.umuser = 0 THEN '' ELSE u.usename::text END AS subject,
                'on ' || quote_ident(u.srvname) AS name,
                (SELECT string_agg(split_part(o, '=', 1) || '=(digest ' || left(md5(o), 8) || ')', ', ' ORDER BY o COLLATE \"C\")
                    FROM unnest(u.umoptions) AS o) AS options,
                'server' AS parent_kind, u.srvname AS parent_relation
            FROM pg_user_mappings AS u"
            .to_owned(),
    }
}
