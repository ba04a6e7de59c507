//! Triggers, rules and event triggers.
//!
//! Follows `pg_dump`: the triggers that a partition inherits are included only if they were enabled or disabled there.

use super::family::{Family, KindOf, Naming};
use super::sql::{made_later, not_member, owner, user_schema};
use crate::kind::Kind;

pub(super) fn families() -> Vec<Family> {
    vec![triggers(), rules(), event_triggers()]
}

/// When it fires, unless that is the default.
const ENABLED: &str = "CASE {} WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END AS enabled";

fn enabled(column: &str) -> String {
    ENABLED.replace("{}", column)
}

fn triggers() -> Family {
    Family {
        catalog: "pg_trigger",
        kind: KindOf::All(Kind::Trigger),
        naming: Naming::InRelation,
        class: ' ',
        attributes: &["definition", "enabled"],
        sql: format!(
            "SELECT t.oid, n.nspname AS schema, c.relname AS relation, c.relkind, t.tgname AS name,
                CASE WHEN t.tgparentid = 0 THEN pg_get_triggerdef(t.oid, false) END AS definition,
                CASE WHEN t.tgparentid <> 0 AND t.tgenabled = 'O' THEN 'origin' ELSE {state} END AS enabled
            FROM pg_trigger AS t
                JOIN pg_class AS c ON c.oid = t.tgrelid
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
                LEFT JOIN pg_trigger AS u ON u.oid = t.tgparentid
            WHERE ((NOT t.tgisinternal AND t.tgparentid = 0) OR t.tgenabled <> u.tgenabled)
                AND {user_schema} AND {not_member}",
            state = enabled("t.tgenabled").replace(" AS enabled", ""),
            user_schema = user_schema("n"),
            not_member = not_member("pg_class", "c.oid"),
        ),
    }
}

fn rules() -> Family {
    Family {
        catalog: "pg_rewrite",
        kind: KindOf::All(Kind::Rule),
        naming: Naming::InRelation,
        class: ' ',
        attributes: &["definition", "enabled"],
        sql: format!(
            "SELECT r.oid, n.nspname AS schema, c.relname AS relation, c.relkind, r.rulename AS name,
                pg_get_ruledef(r.oid) AS definition, {enabled}
            FROM pg_rewrite AS r
                JOIN pg_class AS c ON c.oid = r.ev_class
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE r.rulename <> '_RETURN' AND {user_schema} AND {not_member}",
            enabled = enabled("r.ev_enabled"),
            user_schema = user_schema("n"),
            not_member = not_member("pg_class", "c.oid"),
        ),
    }
}

fn event_triggers() -> Family {
    Family {
        catalog: "pg_event_trigger",
        kind: KindOf::All(Kind::EventTrigger),
        naming: Naming::Plain,
        class: ' ',
        attributes: &["event", "function", "tags", "enabled"],
        sql: format!(
            "SELECT t.oid, t.evtname AS name, {owner}, t.evtevent AS event, t.evtfoid::regprocedure::text AS function,
                (SELECT string_agg(g, ', ' ORDER BY g COLLATE \"C\") FROM unnest(t.evttags) AS g) AS tags, {enabled}
            FROM pg_event_trigger AS t WHERE {later} AND {not_member}",
            owner = owner("t.evtowner"),
            enabled = enabled("t.evtenabled"),
            later = made_later("t.oid"),
            not_member = not_member("pg_event_trigger", "t.oid"),
        ),
    }
}
