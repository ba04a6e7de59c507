//! Operators, operator classes and families, and casts.

use super::family::{Family, KindOf, Naming};
use super::sql::{made_later, named, not_member, owner, reference, user_schema};
use crate::kind::Kind;

pub(super) fn families() -> Vec<Family> {
    vec![
        operators(),
        operator_classes(),
        operator_families(),
        casts(),
    ]
}

fn operators() -> Family {
    Family {
        catalog: "pg_operator",
        kind: KindOf::All(Kind::Operator),
        naming: Naming::AsWritten,
        class: ' ',
        attributes: &["function", "commutator", "negator", "restrict", "join", "merges", "hashes"],
        sql: format!(
            "SELECT o.oid, n.nspname AS schema, o.oid::regoperator::text AS name, {owner},
                {function} AS function, {commutator} AS commutator, {negator} AS negator, {restrict} AS \"restrict\", {join} AS \"join\",
                CASE WHEN o.oprcanmerge THEN 'yes' END AS merges, CASE WHEN o.oprcanhash THEN 'yes' END AS hashes
            FROM pg_operator AS o JOIN pg_namespace AS n ON n.oid = o.oprnamespace
            WHERE {later} AND o.oprcode <> 0 AND {user_schema} AND {not_member}",
            owner = owner("o.oprowner"),
            function = named("o.oprcode", "regproc"),
            commutator = named("o.oprcom", "regoperator"),
            negator = named("o.oprnegate", "regoperator"),
            restrict = named("o.oprrest", "regproc"),
            join = named("o.oprjoin", "regproc"),
            later = made_later("o.oid"),
            user_schema = user_schema("n"),
            not_member = not_member("pg_operator", "o.oid"),
        ),
    }
}

/// The operators and functions that belong to a row of `catalog`, as one text.
fn members(catalog: &str, oid: &str) -> String {
    let of = format!(
        "d.refclassid = 'pg_catalog.{catalog}'::regclass AND d.refobjid = {oid} AND d.classid ="
    );
    let family = reference("pg_opfamily", "opf", "m.amopsortfamily");
    format!(
        "NULLIF(concat_ws(', ',
            (SELECT string_agg('OPERATOR ' || m.amopstrategy || ' ' || m.amopopr::regoperator
                || COALESCE(' FOR ORDER BY ' || {family}, ''), ', ' ORDER BY m.amopstrategy, m.amopopr::regoperator::text COLLATE \"C\")
                FROM pg_amop AS m JOIN pg_depend AS d ON {of} 'pg_catalog.pg_amop'::regclass AND d.objid = m.oid),
            (SELECT string_agg('FUNCTION ' || m.amprocnum || ' (' || format_type(m.amproclefttype, NULL) || ', '
                || format_type(m.amprocrighttype, NULL) || ') ' || m.amproc::regprocedure, ', '
                ORDER BY m.amprocnum, m.amproc::regprocedure::text COLLATE \"C\", format_type(m.amproclefttype, NULL) COLLATE \"C\")
                FROM pg_amproc AS m JOIN pg_depend AS d ON {of} 'pg_catalog.pg_amproc'::regclass AND d.objid = m.oid)), '')"
    )
}

fn operator_classes() -> Family {
    Family {
        catalog: "pg_opclass",
        kind: KindOf::All(Kind::OperatorClass),
        naming: Naming::InSchema,
        class: ' ',
        attributes: &["type", "default", "family", "storage", "member list"],
        sql: format!(
            "SELECT o.oid, n.nspname AS schema, o.opcname AS name, ' using ' || quote_ident(m.amname) AS suffix, {owner},
                format_type(o.opcintype, NULL) AS type, CASE WHEN o.opcdefault THEN 'yes' END AS \"default\",
                {family} AS family, CASE WHEN o.opckeytype <> 0 THEN format_type(o.opckeytype, NULL) END AS storage,
                {members} AS \"member list\"
            FROM pg_opclass AS o
                JOIN pg_namespace AS n ON n.oid = o.opcnamespace
                JOIN pg_am AS m ON m.oid = o.opcmethod
            WHERE {later} AND {user_schema} AND {not_member}",
            owner = owner("o.opcowner"),
            family = reference("pg_opfamily", "opf", "o.opcfamily"),
            members = members("pg_opclass", "o.oid"),
            later = made_later("o.oid"),
            user_schema = user_schema("n"),
            not_member = not_member("pg_opclass", "o.oid"),
        ),
    }
}

fn operator_families() -> Family {
    Family {
        catalog: "pg_opfamily",
        kind: KindOf::All(Kind::OperatorFamily),
        naming: Naming::InSchema,
        class: ' ',
        attributes: &["member list"],
        sql: format!(
            "SELECT o.oid, n.nspname AS schema, o.opfname AS name, ' using ' || quote_ident(m.amname) AS suffix, {owner},
                {members} AS \"member list\"
            FROM pg_opfamily AS o
                JOIN pg_namespace AS n ON n.oid = o.opfnamespace
                JOIN pg_am AS m ON m.oid = o.opfmethod
            WHERE {later} AND {user_schema} AND {not_member}",
            owner = owner("o.opfowner"),
            members = members("pg_opfamily", "o.oid"),
            later = made_later("o.oid"),
            user_schema = user_schema("n"),
            not_member = not_member("pg_opfamily", "o.oid"),
        ),
    }
}

/// Casts, except those that belong to a range type.
fn casts() -> Family {
    Family {
        catalog: "pg_cast",
        kind: KindOf::All(Kind::Cast),
        naming: Naming::AsWritten,
        class: ' ',
        attributes: &["function", "context", "method"],
        sql: format!(
            "SELECT c.oid, '(' || format_type(c.castsource, NULL) || ' AS ' || format_type(c.casttarget, NULL) || ')' AS name,
                CASE WHEN c.castfunc <> 0 THEN c.castfunc::regprocedure::text END AS function,
                CASE c.castcontext WHEN 'a' THEN 'assignment' WHEN 'i' THEN 'implicit' ELSE 'explicit' END AS context,
                CASE c.castmethod WHEN 'b' THEN 'binary' WHEN 'i' THEN 'in and out' ELSE 'function' END AS method
            FROM pg_cast AS c
            WHERE {later} AND {not_member}
                AND NOT EXISTS (SELECT FROM pg_range AS r WHERE r.rngtypid = c.castsource AND r.rngmultitypid = c.casttarget)",
            later = made_later("c.oid"),
            not_member = not_member("pg_cast", "c.oid"),
        ),
    }
}
