//! Connection parameters as text, before validation.
//!
//! Parses the `key=value` form of libpq and selects between it and the URL form (`url`). `ambient` completes the
//! parameters.

use std::collections::BTreeMap;
use std::fmt;

use super::network::NEVER_EMPTY;
use super::{AddressError, keyword, url};

/// Connection parameters by key; `Debug` hides the password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<&'static str, String>);

impl Parameters {
    /// Parses a URL or a `key=value` string.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        // Secrets from mounted files or variables often end with a newline.
        let text = text.trim();
        if let Some((scheme, rest)) = text.split_once("://")
            && !scheme.contains(['=', ' ', '\''])
        {
            return match scheme {
                "postgres" | "postgresql" => url::parse(rest),
                _ => Err(AddressError::Scheme),
            };
        }
        if !text.contains('=') {
            return Err(AddressError::NotAnAddress);
        }
        parse_pairs(text)
    }

    /// Sets a key; a later value replaces an earlier one, as in libpq.
    pub fn set(&mut self, key: &str, value: impl Into<String>) -> Result<(), AddressError> {
        self.0.insert(keyword::known(key)?, value.into());
        Ok(())
    }

    /// The value of a key; an empty one counts as absent, as in libpq.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.0
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether a key is present, even with an empty value.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Sets a key that has no value yet.
    pub(super) fn fill(&mut self, key: &'static str, value: &str) {
        let is_open =
            self.value(key).is_none() && !(self.is_given(key) && NEVER_EMPTY.contains(&key));
        if is_open {
            self.0.insert(key, value.to_owned());
        }
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|(key, value)| match *key {
            "password" => (*key, "…"),
            _ => (*key, value.as_str()),
        });
        f.debug_map().entries(shown).finish()
    }
}

/// The address without its password, to be provided by `PGPASSWORD` or a password file; `None` if it is invalid.
pub fn without_password(text: &str) -> Option<String> {
    let mut parameters = Parameters::parse(text).ok()?;
    if parameters.0.remove("password").is_none() {
        return Some(text.trim().to_owned());
    }
    let pair = |(key, value): (&&str, &String)| {
        let value = value.replace('\\', r"\\").replace('\'', r"\'");
        format!("{key}='{value}'")
    };
    if let Some((scheme, rest)) = text.trim().split_once("://")
        && matches!(scheme, "postgres" | "postgresql")
        && !rest.contains("password=")
    {
        let (login, place) = rest.split_once('@')?;
        let user = login.split(':').next().unwrap_or_default();
        return Some(format!("{scheme}://{user}@{place}"));
    }
    let pairs: Vec<String> = parameters.0.iter().map(pair).collect();
    Some(pairs.join(" "))
}

/// Parses `key = 'value with \' and spaces' other=value`, as libpq's `conninfo_parse` does.
fn parse_pairs(text: &str) -> Result<Parameters, AddressError> {
    let mut parameters = Parameters::default();
    let mut rest = text.chars().peekable();
    loop {
        while rest.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        if rest.peek().is_none() {
            return Ok(parameters);
        }
        let mut key = String::new();
        while let Some(c) = rest.next_if(|c| *c != '=' && !c.is_ascii_whitespace()) {
            key.push(c);
        }
        while rest.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        if rest.next_if_eq(&'=').is_none() {
            return Err(AddressError::Syntax {
                problem: "a key has no `=`; write key=value pairs separated by spaces, and quote values that contain spaces",
            });
        }
        while rest.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        let mut value = String::new();
        let quoted = rest.next_if_eq(&'\'').is_some();
        loop {
            match rest.next() {
                Some('\\') => value.extend(rest.next()),
                Some('\'') if quoted => break,
                Some(c) if !quoted && c.is_ascii_whitespace() => break,
                Some(c) => value.push(c),
                None if quoted => {
                    return Err(AddressError::Syntax {
                        problem: "a quoted value has no closing quote",
                    });
                }
                None => break,
            }
        }
        parameters.set(&key, value)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_can_be_removed_from_an_address() {
        for (text, without) in [
            (
                "postgres://u:p@h:1/d?sslmode=disable",
                "postgres://u@h:1/d?sslmode=disable",
            ),
            ("postgres://u@h/d", "postgres://u@h/d"),
            (
                "postgres://h/d?user=u&password=p",
                "dbname='d' host='h' user='u'",
            ),
            (
                "host=h password='a b' user='it\\'s'",
                r"host='h' user='it\'s'",
            ),
            ("host=h", "host=h"),
        ] {
            assert_eq!(without_password(text).as_deref(), Some(without), "{text}");
        }
        assert_eq!(without_password("u:p@h"), None);
    }

    fn pairs(text: &str) -> Vec<(&'static str, String)> {
        Parameters::parse(text)
            .expect("parses")
            .0
            .into_iter()
            .collect()
    }

    #[test]
    fn pairs_may_be_quoted_escaped_and_spaced() {
        assert_eq!(
            pairs(r"host = localhost  user='O\'Neil \\ x'  password=a\ b dbname=''"),
            [
                ("dbname", String::new()),
                ("host", "localhost".to_owned()),
                ("password", "a b".to_owned()),
                ("user", r"O'Neil \ x".to_owned()),
            ]
        );
    }

    #[test]
    fn a_url_inside_a_value_is_not_parsed_as_a_url() {
        assert_eq!(
            pairs("host=h password=a://b"),
            [("host", "h".to_owned()), ("password", "a://b".to_owned())]
        );
    }

    #[test]
    fn surrounding_white_space_is_ignored() {
        assert_eq!(pairs("\n host=h\n"), [("host", "h".to_owned())]);
        assert_eq!(pairs(" postgres://h\n"), [("host", "h".to_owned())]);
    }

    #[test]
    fn each_mistake_has_its_own_error() {
        assert!(matches!(
            Parameters::parse("localhost"),
            Err(AddressError::NotAnAddress)
        ));
        assert!(matches!(
            Parameters::parse("host=h x"),
            Err(AddressError::Syntax { .. })
        ));
        assert!(matches!(
            Parameters::parse("host='h"),
            Err(AddressError::Syntax { .. })
        ));
        assert!(matches!(
            Parameters::parse("hots=h"),
            Err(AddressError::UnknownKey {
                meant: Some("host")
            })
        ));
        assert!(matches!(
            Parameters::parse("mysql://h"),
            Err(AddressError::Scheme)
        ));
    }

    #[test]
    fn debug_hides_the_password() {
        let shown = format!(
            "{:?}",
            Parameters::parse("user=u password=secret").expect("parses")
        );
        assert!(
            shown.contains("\"u\"") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
