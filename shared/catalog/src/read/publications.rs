//! Publications, and the tables and schemas in them.

use super::family::{Family, KindOf, Naming};
use super::session::Server;
use super::sql::{not_member, owner};
use crate::kind::Kind;

/// Publications, their tables, and since 15 their schemas.
pub(super) fn families(server: &Server) -> Vec<Family> {
    let mut families = vec![publications(server), tables(server)];
    if server.version >= 150_000 {
        families.push(schemas());
    }
    families
}

fn publications(server: &Server) -> Family {
    let generated = server.since(
        18,
        "CASE p.pubgencols WHEN 's' THEN 'stored' END",
        "NULL::text",
    );
    Family {
        catalog: "pg_publication",
        kind: KindOf::All(Kind::Publication),
        naming: Naming::Plain,
        class: ' ',
        attributes: &["all tables", "publish", "via partition root", "generated columns"],
        sql: format!(
            "SELECT p.oid, p.pubname AS name, {owner}, CASE WHEN p.puballtables THEN 'yes' END AS \"all tables\",
                concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
                    CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END) AS publish,
                CASE WHEN p.pubviaroot THEN 'yes' END AS \"via partition root\", {generated} AS \"generated columns\"
            FROM pg_publication AS p WHERE {not_member}",
            owner = owner("p.pubowner"),
            not_member = not_member("pg_publication", "p.oid"),
        ),
    }
}

/// Row filters and column lists exist since 15.
fn tables(server: &Server) -> Family {
    let filter = server.since(15, "pg_get_expr(r.prqual, r.prrelid)", "NULL::text");
    let columns = server.since(
        15,
        "(SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname COLLATE \"C\")
            FROM unnest(r.prattrs) AS l JOIN pg_attribute AS a ON a.attrelid = r.prrelid AND a.attnum = l)",
        "NULL::text",
    );
    Family {
        catalog: "pg_publication_rel",
        kind: KindOf::All(Kind::PublicationTable),
        naming: Naming::AsWritten,
        class: ' ',
        attributes: &["columns", "filter"],
        sql: format!(
            "SELECT r.oid, c.oid::regclass || ' in ' || quote_ident(p.pubname) AS name, {columns} AS columns, {filter} AS filter,
                'publication' AS parent_kind, p.pubname AS parent_relation, n.nspname AS mentioned_schema, c.relname AS mentioned_relation
            FROM pg_publication_rel AS r
                JOIN pg_publication AS p ON p.oid = r.prpubid
                JOIN pg_class AS c ON c.oid = r.prrelid
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE {not_member}",
            not_member = not_member("pg_publication", "p.oid"),
        ),
    }
}

fn schemas() -> Family {
    Family {
        catalog: "pg_publication_namespace",
        kind: KindOf::All(Kind::PublicationSchema),
        naming: Naming::AsWritten,
        class: ' ',
        attributes: &[],
        sql: format!(
            "SELECT r.oid, quote_ident(n.nspname) || ' in ' || quote_ident(p.pubname) AS name,
                'publication' AS parent_kind, p.pubname AS parent_relation, n.nspname AS mentioned_schema
            FROM pg_publication_namespace AS r
                JOIN pg_publication AS p ON p.oid = r.pnpubid
                JOIN pg_namespace AS n ON n.oid = r.pnnspid
            WHERE {not_member}",
            not_member = not_member("pg_publication", "p.oid"),
        ),
    }
}
