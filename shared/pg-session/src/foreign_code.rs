//! Finds code of other roles in a database that runs with the privileges of the role that changes rows: functions, and expressions of
//! tables and domains.
//!
//! If a schema is copied and rows are written to the copy, that role is ours. Not responsible for refusing such a schema.

use super::Client;
use super::bookkeeping::trusted;

/// An object that contains code, and its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignCode {
    /// The qualified name.
    pub object: String,
    /// The owner, which this role does not trust.
    pub owner: String,
}

/// The first object with code of a role that is neither a superuser, nor the owner of the database, nor this role or one that it is a
/// member of. Members of extensions are excluded: only a trusted administrator can install them.
pub async fn read_foreign_code(
    client: &Client,
    major: u32,
) -> Result<Option<ForeignCode>, tokio_postgres::Error> {
    // An expression that calls only now(), clock_timestamp(), gen_random_uuid() and nextval() with its casts, and compares with system
    // operators, does not count as code.
    let computes = |expression: &str| {
        format!(
            r"{expression}::text ~ ':funcid (?!1299 |2649 |3432 |1574 |480 |714 )' OR {expression}::text ~ ':opno [0-9]{{5,}}'
              OR EXISTS (SELECT FROM pg_catalog.regexp_matches({expression}::text, '\{{([A-Z_]+)', 'g') AS m (node)
                WHERE m.node[1] <> ALL ('{{CONST,RELABELTYPE,SQLVALUEFUNCTION,FUNCEXPR,VAR,SCALARARRAYOPEXPR,OPEXPR,BOOLEXPR,NULLTEST,ARRAY,ARRAYEXPR,COERCETODOMAINVALUE}}'))"
        )
    };
    let (default, check) = (computes("d.adbin"), computes("k.conbin"));
    let question = format!(
        "SELECT f.object, o.rolname::text FROM ( \
           SELECT p.proowner AS owner, p.oid::pg_catalog.regprocedure::text AS object, p.oid, \
               'pg_catalog.pg_proc'::pg_catalog.regclass::oid AS classid \
             FROM pg_catalog.pg_proc p WHERE p.oid >= 16384 \
           UNION ALL SELECT c.relowner, c.oid::pg_catalog.regclass::text, c.oid, 'pg_catalog.pg_class'::pg_catalog.regclass \
             FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f') AND ( \
               EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND (k.contype = 'x' OR k.contype = 'c' AND ({check}))) \
               OR EXISTS (SELECT FROM pg_catalog.pg_attrdef d WHERE d.adrelid = c.oid AND ({default})) \
               OR EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)) \
               OR EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) \
               OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid) \
               OR EXISTS (SELECT FROM pg_catalog.pg_policy y WHERE y.polrelid = c.oid)) \
           UNION ALL SELECT t.typowner, t.oid::pg_catalog.regtype::text, t.oid, 'pg_catalog.pg_type'::pg_catalog.regclass \
             FROM pg_catalog.pg_type t WHERE t.typtype = 'd' \
               AND EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' AND ({check}))) f \
           JOIN pg_catalog.pg_roles o ON o.oid = f.owner \
           JOIN pg_catalog.pg_roles me ON me.rolname = CURRENT_USER \
           JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database() \
         WHERE NOT ({}) AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e \
             WHERE e.classid = f.classid AND e.objid = f.oid AND e.deptype = 'e') \
         ORDER BY 1 LIMIT 1",
        trusted(major)
    );
    let rows = client.query_typed(&question, &[]).await?;
    rows.first()
        .map(|row| {
            Ok(ForeignCode {
                object: row.try_get(0)?,
                owner: row.try_get(1)?,
            })
        })
        .transpose()
}
