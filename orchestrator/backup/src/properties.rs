//! Reads the properties of a database that are not in a dump, and generates the SQL for a new database.

use pg_session::Client;
use pg_sql::{quote_identifier, quote_literal};
use tokio_postgres::Error;

use super::{DatabaseProperties, RoleSetting};

/// The first major version with locale providers per database.
const PROVIDERS: i32 = 15;
/// The first major version with ICU rules.
const RULES: i32 = 16;
/// The first major version with the builtin provider and a single column for all locales.
const BUILTIN: i32 = 17;

impl DatabaseProperties {
    /// Reads the properties of the connected database, on a server of this major version.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn read(client: &Client, major: i32) -> Result<Self, Error> {
        let provider = since(major, PROVIDERS, "d.datlocprovider::text", "'c'");
        let locale = if major >= BUILTIN {
            "d.datlocale::text"
        } else {
            since(major, PROVIDERS, "d.daticulocale::text", "NULL::text")
        };
        let rules = since(major, RULES, "d.daticurules::text", "NULL::text");
        let row = client
            .query_one(
                &format!(
                    "SELECT pg_catalog.pg_get_userbyid(d.datdba)::text, pg_catalog.pg_encoding_to_char(d.encoding)::text, \
                       d.datcollate::text, d.datctype::text, {provider}, {locale}, {rules}, t.spcname::text, d.datconnlimit, \
                       pg_catalog.shobj_description(d.oid, 'pg_database'), d.datacl::text[] \
                     FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace \
                     WHERE d.datname = pg_catalog.current_database()"
                ),
                &[],
            )
            .await?;
        let settings = client
            .query(
                "SELECT r.rolname::text, pg_catalog.split_part(c, '=', 1), \
                   pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) \
                 FROM pg_catalog.pg_db_role_setting s \
                 JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase \
                 LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole \
                 CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c \
                 WHERE d.datname = pg_catalog.current_database() ORDER BY 1 NULLS FIRST, 2",
                &[],
            )
            .await?;
        Ok(Self {
            owner: row.try_get(0)?,
            encoding: row.try_get(1)?,
            collate: row.try_get(2)?,
            ctype: row.try_get(3)?,
            locale_provider: row.try_get(4)?,
            locale: row.try_get(5)?,
            icu_rules: row.try_get(6)?,
            tablespace: row.try_get(7)?,
            connection_limit: row.try_get(8)?,
            comment: row.try_get(9)?,
            privileges: row.try_get(10)?,
            settings: settings
                .iter()
                .map(|row| {
                    Ok(RoleSetting {
                        role: row.try_get(0)?,
                        name: row.try_get(1)?,
                        value: row.try_get(2)?,
                    })
                })
                .collect::<Result<_, Error>>()?,
        })
    }

    /// The options after `CREATE DATABASE … TEMPLATE template0` for the same encoding and locale on a server of this major
    /// version.
    pub fn creation_options(&self, major: i32) -> String {
        let mut options = format!(
            "ENCODING {} LC_COLLATE {} LC_CTYPE {}",
            quote_literal(&self.encoding),
            quote_literal(&self.collate),
            quote_literal(&self.ctype)
        );
        let locale = self.locale.as_deref();
        match (self.locale_provider.as_str(), locale) {
            ("i", Some(locale)) => {
                let locale = quote_literal(locale);
                options.push_str(&format!(" LOCALE_PROVIDER icu ICU_LOCALE {locale}"));
                if let Some(rules) = &self.icu_rules {
                    options.push_str(&format!(" ICU_RULES {}", quote_literal(rules)));
                }
            }
            ("b", Some(locale)) => {
                let locale = quote_literal(locale);
                options.push_str(&format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {locale}"));
            }
            _ if major >= PROVIDERS => options.push_str(" LOCALE_PROVIDER libc"),
            _ => {}
        }
        options
    }

    /// The same options with the tablespace, for the same server.
    pub fn creation_options_in_place(&self, major: i32) -> String {
        format!(
            "{} TABLESPACE {}",
            self.creation_options(major),
            quote_identifier(&self.tablespace)
        )
    }
}

fn since<'a>(major: i32, first: i32, then: &'a str, before: &'a str) -> &'a str {
    if major >= first { then } else { before }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(provider: &str, locale: Option<&str>) -> DatabaseProperties {
        DatabaseProperties {
            encoding: "UTF8".to_owned(),
            collate: "C".to_owned(),
            ctype: "C.UTF-8".to_owned(),
            locale_provider: provider.to_owned(),
            locale: locale.map(str::to_owned),
            tablespace: "pg_default".to_owned(),
            ..DatabaseProperties::default()
        }
    }

    #[test]
    fn the_options_fit_the_version() {
        let libc = properties("c", None);
        let base = "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'";
        assert_eq!(libc.creation_options(14), base);
        assert_eq!(
            libc.creation_options(18),
            format!("{base} LOCALE_PROVIDER libc")
        );
        let mut icu = properties("i", Some("de-u-co-phonebk"));
        icu.icu_rules = Some("&a < b\\'".to_owned());
        assert_eq!(
            icu.creation_options(16),
            format!(
                "{base} LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk' ICU_RULES E'&a < b\\\\'''"
            )
        );
        assert_eq!(
            properties("b", Some("C.UTF-8")).creation_options_in_place(17),
            format!(
                "{base} LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' TABLESPACE pg_default"
            )
        );
    }
}
