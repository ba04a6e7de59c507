//! Parses the URL form of an address.
//!
//! `postgres://user:password@host:port,host:port/database?key=value` with percent-encoding, IPv6 addresses in brackets
//! and socket folders, as libpq's `conninfo_uri_parse` reads it.

use std::borrow::Cow;

use super::AddressError;
use super::parameters::Parameters;

/// Parses the part after `postgres://`.
pub(super) fn parse(rest: &str) -> Result<Parameters, AddressError> {
    let mut parameters = Parameters::default();
    // Like libpq, search for a login up to the first `@` or `/`: a `?` before that is part of the password.
    let rest = match rest.find(['@', '/']).map(|end| rest.split_at(end)) {
        Some((login, after)) if after.starts_with('@') => {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            set_decoded(&mut parameters, "user", user)?;
            set_decoded(&mut parameters, "password", password)?;
            &after[1..]
        }
        _ => rest,
    };
    let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, database) = location.split_once('/').unwrap_or((location, ""));
    if hosts.contains('@') {
        return Err(AddressError::Syntax {
            problem: "write an `@` in the user or the password as %40",
        });
    }
    // libpq would accept it as part of the name; more likely, a `/` in the password is not encoded.
    if database.contains(['@', '/']) {
        return Err(AddressError::Syntax {
            problem: "write an `@` or `/` in the database name as %40 or %2F, and a `/` in the password as %2F",
        });
    }
    read_hosts(&mut parameters, hosts)?;
    set_decoded(&mut parameters, "dbname", database)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(AddressError::Syntax {
                problem: "expected key=value pairs separated by `&` after the `?`",
            });
        };
        let (key, value) = (decode(key)?, decode(value)?);
        match (&*key, &*value) {
            // libpq accepts this one JDBC spelling.
            ("ssl", "true") => parameters.set("sslmode", "require")?,
            _ => parameters.set(&key, value)?,
        }
    }
    Ok(parameters)
}

fn read_hosts(parameters: &mut Parameters, hosts: &str) -> Result<(), AddressError> {
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for item in hosts.split(',') {
        let (name, port) = if let Some(bracketed) = item.strip_prefix('[') {
            let Some((name, after)) = bracketed.split_once(']') else {
                return Err(AddressError::Syntax {
                    problem: "an IPv6 address has no closing `]`",
                });
            };
            match after.strip_prefix(':') {
                Some(port) => (name, port),
                None if after.is_empty() => (name, ""),
                None => {
                    return Err(AddressError::Syntax {
                        problem: "only `:port` may follow the `]` of an IPv6 address",
                    });
                }
            }
        } else {
            match item.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return Err(AddressError::Syntax {
                        problem: "more than one `:` in a host; put an IPv6 address in brackets, and percent-encode a `/`, `?` or `@` in the password",
                    });
                }
                Some((name, port)) => (name, port),
                None => (item, ""),
            }
        };
        // Omit the text: it may be the part of a password after its `:`.
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AddressError::Syntax {
                problem: "the port after `:` is not a number; if it is part of the password, percent-encode its special characters, such as `/` as %2F",
            });
        }
        names.push(decode(name)?);
        ports.push(port);
    }
    if names.iter().any(|name| !name.is_empty()) {
        parameters.set("host", names.join(","))?;
    }
    if ports.iter().any(|port| !port.is_empty()) {
        parameters.set("port", ports.join(","))?;
    }
    Ok(())
}

fn set_decoded(parameters: &mut Parameters, key: &str, value: &str) -> Result<(), AddressError> {
    if !value.is_empty() {
        parameters.set(key, decode(value)?)?;
    }
    Ok(())
}

fn decode(text: &str) -> Result<Cow<'_, str>, AddressError> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) if high + low > 0 => {
                bytes.extend(u8::try_from(high * 16 + low));
            }
            _ => {
                return Err(AddressError::Syntax {
                    problem: "a `%` must be followed by two hexadecimal digits, not both zero; write a literal `%` as %25",
                });
            }
        }
    }
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| AddressError::Syntax {
            problem: "a percent-encoded part is not UTF-8",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_reads(url: &str, expected: &[(&str, &str)]) {
        let parameters = parse(url).expect("parses");
        let mut expected_parameters = Parameters::default();
        for (key, value) in expected {
            expected_parameters.set(key, *value).expect("a known key");
        }
        assert_eq!(parameters, expected_parameters);
    }

    #[test]
    fn every_part_is_optional() {
        assert_reads("", &[]);
        assert_reads("/db", &[("dbname", "db")]);
        assert_reads("host", &[("host", "host")]);
        assert_reads("user@", &[("user", "user")]);
        assert_reads("?host=/tmp", &[("host", "/tmp")]);
    }

    #[test]
    fn user_password_port_and_database_are_decoded() {
        assert_reads(
            "us%40er:p%3Ass%2F%C3%A9@h:5433/d%20b?application_name=a%26b",
            &[
                ("user", "us@er"),
                ("password", "p:ss/é"),
                ("host", "h"),
                ("port", "5433"),
                ("dbname", "d b"),
                ("application_name", "a&b"),
            ],
        );
    }

    #[test]
    fn a_password_may_contain_a_question_mark() {
        assert_reads(
            "u:p?x@h/d",
            &[
                ("user", "u"),
                ("password", "p?x"),
                ("host", "h"),
                ("dbname", "d"),
            ],
        );
    }

    #[test]
    fn multiple_hosts_keep_their_ports() {
        assert_reads(
            "a:1,b,[::1]:3/d",
            &[("host", "a,b,::1"), ("port", "1,,3"), ("dbname", "d")],
        );
    }

    #[test]
    fn a_host_may_be_a_socket_folder() {
        assert_reads(
            "%2Fvar%2Frun:5433/d",
            &[("host", "/var/run"), ("port", "5433"), ("dbname", "d")],
        );
    }

    #[test]
    fn query_parameters_override_the_rest_and_ssl_true_is_accepted() {
        assert_reads(
            "h/d?dbname=e&ssl=true",
            &[("host", "h"), ("dbname", "e"), ("sslmode", "require")],
        );
    }

    #[test]
    fn invalid_urls_are_errors() {
        for url in [
            "u:p@ss@h",
            "[::1/d",
            "[::1]x/d",
            "h/d?x",
            "%zz",
            "%00",
            "::1/d",
            "u:%ff@h",
            "u:pass/word@h",
            "u:123/SECRET@h",
            "u:/SECRET@h/d",
        ] {
            assert!(
                matches!(parse(url), Err(AddressError::Syntax { .. })),
                "{url}"
            );
        }
        assert!(matches!(
            parse("h/d?schema=public"),
            Err(AddressError::UnknownKey { .. })
        ));
    }
}
