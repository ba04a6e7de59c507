//! Parses pg_dump's output into a set of objects with their statements, ignoring object order and the physical order
//! of columns.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::scan;

const HEADER: &str = "--\n-- Name: ";
const END: &str = "--\n-- PostgreSQL database dump complete";
const ACCESS_METHOD: &str = "SET default_table_access_method = ";
const TABLESPACE: &str = "SET default_tablespace = ";

/// The objects of a dump, each with its heading and statements.
#[derive(Debug, PartialEq, Eq)]
pub struct Dump(BTreeSet<String>);

impl Dump {
    /// Parses the output of `pg_dump --schema-only`.
    pub fn parse(text: &str) -> Self {
        let mut starts = scan_entries(text);
        let end = scan::places(text, END)
            .last()
            .copied()
            .unwrap_or(text.len());
        let mut access_method = String::from("heap");
        if let Some(&first) = starts.first() {
            take_settings(&text[..first], &mut access_method);
        }
        starts.push(end);
        let mut objects = BTreeSet::new();
        for window in starts.windows(2) {
            let entry = &text[window[0] + HEADER.len()..window[1]];
            let (heading, body) = entry.split_once("\n--\n").unwrap_or((entry, ""));
            let method = access_method.clone();
            let body = take_settings(body, &mut access_method);
            let heading = without_owner(heading);
            objects.insert(format!(
                "{heading}\n{}",
                statements(&heading, body, &method)
            ));
        }
        Self(objects)
    }

    /// The objects that only one of two dumps has, as readable text.
    pub fn difference(&self, other: &Self) -> String {
        let mut text = String::new();
        for (sign, one, another) in [('-', self, other), ('+', other, self)] {
            for object in one.0.difference(&another.0) {
                for line in object.lines() {
                    let _ = writeln!(text, "      {sign} {line}");
                }
            }
        }
        text
    }
}

fn scan_entries(text: &str) -> Vec<usize> {
    scan::places(text, HEADER)
}

/// Cuts off the settings at the end of an entry, which apply to the following entries. The table access method appears
/// only there; the heading names the tablespace.
fn take_settings<'a>(body: &'a str, access_method: &mut String) -> &'a str {
    let mut body = body.trim();
    let mut found = false;
    loop {
        let (rest, line) = body.rsplit_once('\n').unwrap_or(("", body));
        if let Some(method) = line.strip_prefix(ACCESS_METHOD) {
            if !found {
                *access_method = method.trim_end_matches(';').to_owned();
            }
            found = true;
        } else if !line.starts_with(TABLESPACE) {
            return body;
        }
        body = rest.trim_end();
    }
}

/// Removes the owner from the heading: an index or constraint has its table's owner, and other owners have an
/// `ALTER … OWNER TO`.
fn without_owner(heading: &str) -> String {
    let Some((name, owner)) = heading.rsplit_once("; Owner: ") else {
        return heading.to_owned();
    };
    match owner.split_once("; Tablespace: ") {
        Some((_, tablespace)) => format!("{name}; Tablespace: {tablespace}"),
        None => name.to_owned(),
    }
}

fn statements(heading: &str, body: &str, access_method: &str) -> String {
    let kind = heading
        .split("; ")
        .find_map(|part| part.strip_prefix("Type: "))
        .unwrap_or_default();
    match kind {
        "TABLE" | "FOREIGN TABLE" => {
            let mut lines: Vec<_> = scan::split(body, ";")
                .into_iter()
                .map(with_sorted_list)
                .collect();
            // The dump's setting does not apply to a partitioned table.
            if kind == "TABLE" && access_method != "heap" && !body.contains("\nPARTITION BY ") {
                lines.push(format!("USING {access_method}"));
            }
            sorted(lines)
        }
        "MATERIALIZED VIEW" if access_method != "heap" => format!("{body}\nUSING {access_method}"),
        "ACL" | "DEFAULT ACL" => sorted(grants(body)),
        "PUBLICATION TABLE" => with_sorted_list(body),
        "STATISTICS" => with_sorted_columns(body),
        _ => body.to_owned(),
    }
}

fn sorted(mut statements: Vec<String>) -> String {
    statements.sort();
    statements.join(";\n")
}

/// `CREATE TABLE t (b integer, a text)` with its columns in alphabetical order.
fn with_sorted_list(statement: &str) -> String {
    let is_list = statement.starts_with("CREATE ") || statement.starts_with("ALTER PUBLICATION ");
    match scan::first_brackets(statement) {
        Some((start, end)) if is_list => {
            let mut parts = scan::split(&statement[start..end], ",");
            parts.sort_unstable();
            format!(
                "{}\n{}\n{}",
                &statement[..start],
                parts.join(",\n"),
                &statement[end..]
            )
        }
        _ => statement.to_owned(),
    }
}

/// `CREATE STATISTICS s ON b, a FROM t`: PostgreSQL lists the columns in their physical order.
fn with_sorted_columns(body: &str) -> String {
    let (Some(&on), Some(&from)) = (
        scan::places(body, " ON ").first(),
        scan::places(body, " FROM ").last(),
    ) else {
        return body.to_owned();
    };
    let mut columns = scan::split(&body[on + 4..from], ",");
    columns.sort_unstable();
    format!("{} ON {}{}", &body[..on], columns.join(", "), &body[from..])
}

/// The grants in any order, each with its grantor.
fn grants(body: &str) -> Vec<String> {
    let mut grantor = String::new();
    let mut grants = Vec::new();
    for statement in scan::split(body, ";") {
        if statement.starts_with("SET SESSION AUTHORIZATION ") {
            grantor = format!("{statement}: ");
        } else if statement == "RESET SESSION AUTHORIZATION" {
            grantor.clear();
        } else {
            grants.push(format!("{grantor}{statement}"));
        }
    }
    grants
}

#[cfg(test)]
mod tests {
    use super::Dump;

    fn dump(entries: &str) -> Dump {
        Dump::parse(&format!(
            "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\nSET x = 1;\n{entries}\n\
             --\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n"
        ))
    }

    fn table(columns: &str) -> String {
        format!(
            "--\n-- Name: t; Type: TABLE; Schema: public; Owner: me\n--\n\nCREATE TABLE public.t (\n{columns}\n);\n\n"
        )
    }

    const VIEW: &str = "--\n-- Name: v; Type: VIEW; Schema: public; Owner: me\n--\n\nCREATE VIEW v AS\n SELECT 1;\n\n";

    #[test]
    fn column_and_object_order_are_ignored() {
        let one = dump(&format!(
            "{}{VIEW}",
            table("    a numeric(1,2),\n    b text DEFAULT ','")
        ));
        let other = dump(&format!(
            "{VIEW}{}",
            table("    b text DEFAULT ',',\n    a numeric(1,2)")
        ));
        assert_eq!(one, other);
    }

    #[test]
    fn a_missing_column_is_a_difference() {
        assert_ne!(
            dump(&table("    a numeric(1,2),\n    b text")),
            dump(&table("    a numeric(1,3),\n    b text"))
        );
    }

    #[test]
    fn the_access_method_comes_from_the_setting_before_the_table() {
        let other = format!(
            "{VIEW}SET default_table_access_method = other;\n\n{}",
            table("    a text")
        );
        assert_ne!(
            dump(&format!("{VIEW}{}", table("    a text"))),
            dump(&other)
        );
    }

    #[test]
    fn headings_in_comments_are_ignored() {
        let comment = |text: &str| {
            format!(
                "--\n-- Name: TABLE t; Type: COMMENT; Schema: public; Owner: me\n--\n\nCOMMENT ON TABLE t IS '\n--\n-- Name: {text}';\n\n"
            )
        };
        assert_ne!(dump(&comment("a")), dump(&comment("b")));
        assert_eq!(dump(&comment("a")).0.len(), 1);
    }
}
