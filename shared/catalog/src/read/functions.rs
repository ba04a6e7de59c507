//! Functions, procedures and aggregates.
//!
//! The name includes the argument types, as in `public.total(integer)`; argument names are part of the definition.
//! Functions that belong to a range type or an extension are omitted.

use super::family::{Family, KindOf, Naming};
use super::sql::{acl, named, owner, user_schema};
use crate::kind::Kind;

pub(super) fn families() -> Vec<Family> {
    vec![functions(), aggregates()]
}

fn family(
    kind: KindOf,
    attributes: &'static [&'static str],
    columns: &str,
    joins: &str,
    condition: &str,
) -> Family {
    Family {
        catalog: "pg_proc",
        kind,
        naming: Naming::InSchema,
        class: 'f',
        attributes,
        sql: format!(
            "SELECT p.oid, p.prokind AS code, n.nspname AS schema, p.proname AS name, '(' || oidvectortypes(p.proargtypes) || ')' AS suffix,
                {owner}, {acl}, {columns}
            FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace {joins}
            WHERE {condition} AND {user_schema}
                AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid
                    AND e.deptype IN ('e', 'i'))",
            owner = owner("p.proowner"),
            acl = acl("p.proacl", "'f'", "p.proowner"),
            user_schema = user_schema("n"),
        ),
    }
}

fn functions() -> Family {
    family(
        KindOf::Code(|code| {
            if code == "p" {
                Kind::Procedure
            } else {
                Kind::Function
            }
        }),
        &["definition"],
        "pg_get_functiondef(p.oid) AS definition",
        "",
        "p.prokind IN ('f', 'p', 'w')",
    )
}

fn aggregates() -> Family {
    let columns = format!(
        "pg_get_function_arguments(p.oid) AS arguments,
        CASE a.aggkind WHEN 'o' THEN 'ordered-set' WHEN 'h' THEN 'hypothetical-set' END AS \"aggregate kind\",
        a.aggtransfn::regproc::text AS \"transition function\", format_type(a.aggtranstype, NULL) AS \"state type\",
        NULLIF(a.aggtransspace, 0) AS \"state space\", {finish} AS \"final function\",
        CASE WHEN a.aggfinalextra THEN 'yes' END AS \"final function extra\",
        a.aggfinalmodify::text AS \"final function modifies\",
        {combine} AS \"combine function\", {serialise} AS \"serialisation function\", {deserialise} AS \"deserialisation function\",
        a.agginitval AS \"initial state\", {forward} AS \"moving transition function\",
        {inverse} AS \"moving inverse function\", CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END
            AS \"moving state type\",
        NULLIF(a.aggmtransspace, 0) AS \"moving state space\", {moving_finish} AS \"moving final function\",
        CASE WHEN a.aggmfinalextra THEN 'yes' END AS \"moving final function extra\",
        a.aggmfinalmodify::text AS \"moving final function modifies\", a.aggminitval AS \"moving initial state\",
        {sort} AS \"sort operator\",
        CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' END AS parallel",
        finish = named("a.aggfinalfn", "regproc"),
        combine = named("a.aggcombinefn", "regproc"),
        serialise = named("a.aggserialfn", "regproc"),
        deserialise = named("a.aggdeserialfn", "regproc"),
        forward = named("a.aggmtransfn", "regproc"),
        inverse = named("a.aggminvtransfn", "regproc"),
        moving_finish = named("a.aggmfinalfn", "regproc"),
        sort = named("a.aggsortop", "regoperator"),
    );
    family(
        KindOf::All(Kind::Aggregate),
        &[
            "arguments",
            "aggregate kind",
            "transition function",
            "state type",
            "state space",
            "final function",
            "final function extra",
            "final function modifies",
            "combine function",
            "serialisation function",
            "deserialisation function",
            "initial state",
            "moving transition function",
            "moving inverse function",
            "moving state type",
            "moving state space",
            "moving final function",
            "moving final function extra",
            "moving final function modifies",
            "moving initial state",
            "sort operator",
            "parallel",
        ],
        &columns,
        "JOIN pg_aggregate AS a ON a.aggfnoid = p.oid",
        "p.prokind = 'a'",
    )
}
