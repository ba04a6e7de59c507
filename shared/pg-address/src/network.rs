//! The connection settings of an address: timeouts, keepalives, host selection and session options.

use std::time::Duration;

use super::AddressError;
use super::parameters::Parameters;

/// The kind of session that the server must offer (`target_session_attrs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionTarget {
    /// Any server that accepts the connection.
    #[default]
    Any,
    /// A session that can write.
    ReadWrite,
    /// A session that cannot write.
    ReadOnly,
    /// A server that is not a standby.
    Primary,
    Standby,
}

impl SessionTarget {
    /// The value of `target_session_attrs`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Primary => "primary",
            Self::Standby => "standby",
        }
    }
}

/// A dead server is detected after two minutes: 60 s of silence, then six probes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_COUNT: u32 = 6;

/// The same time, because keepalives are not sent while data waits to be acknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(120);

/// Timeouts, keepalives and session options of an address; for `None`, the caller chooses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkSettings {
    /// The timeout per host and IP address; zero disables it.
    pub connect_timeout: Option<Duration>,
    /// Whether TCP keepalives are disabled.
    pub keepalives_off: bool,
    /// The idle time before the first keepalive.
    pub keepalives_idle: Duration,
    /// The interval between keepalives.
    pub keepalives_interval: Duration,
    /// The number of lost keepalives after which the connection is dead.
    pub keepalives_count: u32,
    /// How long sent data may remain unacknowledged; `None` uses the system default.
    pub tcp_user_timeout: Option<Duration>,
    /// The kind of session that the server must offer.
    pub session_target: SessionTarget,
    /// Whether several hosts are tried in random order.
    pub shuffle_hosts: bool,
    /// Command-line options for the server (`options`).
    pub options: Option<String>,
    /// The application name, if the user set one.
    pub application_name: Option<String>,
}

impl NetworkSettings {
    /// The settings that libpq accepts only in a connection string, because they have no variables.
    pub(super) fn libpq_parameters(&self) -> String {
        if self.keepalives_off {
            return "keepalives=0".to_owned();
        }
        let mut parameters = format!(
            "keepalives_idle={} keepalives_interval={} keepalives_count={}",
            self.keepalives_idle.as_secs(),
            self.keepalives_interval.as_secs(),
            self.keepalives_count
        );
        if let Some(time) = self.tcp_user_timeout {
            parameters.push_str(&format!(" tcp_user_timeout={}", time.as_millis()));
        }
        parameters
    }

    pub(super) fn read(parameters: &Parameters) -> Result<Self, AddressError> {
        one_of(
            parameters,
            "client_encoding",
            &[("UTF8", ()), ("UTF-8", ()), ("utf8", ()), ("auto", ())],
        )?;
        // GSSAPI encryption is optional unless required, and TLS replaces it.
        one_of(parameters, "gssencmode", &[("disable", ()), ("prefer", ())])?;
        let seconds =
            |key| Ok::<_, AddressError>(number(parameters, key)?.map(Duration::from_secs));
        Ok(Self {
            // libpq rounds 1 up to 2, because its clock counts whole seconds.
            connect_timeout: seconds("connect_timeout")?.map(|limit| match limit.as_secs() {
                1 => Duration::from_secs(2),
                _ => limit,
            }),
            keepalives_off: number(parameters, "keepalives")? == Some(0),
            keepalives_idle: seconds("keepalives_idle")?
                .filter(|time| !time.is_zero())
                .unwrap_or(KEEPALIVE_IDLE),
            keepalives_interval: seconds("keepalives_interval")?
                .filter(|time| !time.is_zero())
                .unwrap_or(KEEPALIVE_INTERVAL),
            keepalives_count: number(parameters, "keepalives_count")?
                .filter(|count| *count > 0)
                .map_or(KEEPALIVE_COUNT, |count| {
                    u32::try_from(count).unwrap_or(u32::MAX)
                }),
            tcp_user_timeout: number(parameters, "tcp_user_timeout")?
                .map_or(Some(UNACKNOWLEDGED), |time| {
                    (time > 0).then(|| Duration::from_millis(time))
                }),
            session_target: one_of(
                parameters,
                "target_session_attrs",
                &[
                    SessionTarget::Any,
                    SessionTarget::ReadWrite,
                    SessionTarget::ReadOnly,
                    SessionTarget::Primary,
                    SessionTarget::Standby,
                ]
                .map(|target| (target.as_str(), target)),
            )?
            .unwrap_or_default(),
            shuffle_hosts: one_of(
                parameters,
                "load_balance_hosts",
                &[("disable", false), ("random", true)],
            )?
            .unwrap_or_default(),
            options: parameters.value("options").map(str::to_owned),
            application_name: parameters.value("application_name").map(str::to_owned),
        })
    }
}

/// Keys whose empty value does not count as unset, as in libpq: `sslmode=` may come from an unset variable.
pub(super) const NEVER_EMPTY: [&str; 7] = [
    "sslmode",
    "sslnegotiation",
    "sslcertmode",
    "channel_binding",
    "gssencmode",
    "target_session_attrs",
    "load_balance_hosts",
];

/// The matching choice, or an error that lists the choices.
pub(super) fn one_of<T: Copy>(
    parameters: &Parameters,
    key: &'static str,
    choices: &[(&'static str, T)],
) -> Result<Option<T>, AddressError> {
    let value = match parameters.value(key) {
        Some(value) => value,
        None if parameters.is_given(key) && NEVER_EMPTY.contains(&key) => "",
        None => return Ok(None),
    };
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == value) {
        return Ok(Some(*choice));
    }
    Err(AddressError::InvalidValue {
        key,
        expected: expected(key),
    })
}

/// The accepted values of a key.
fn expected(key: &str) -> &'static str {
    match key {
        "client_encoding" => "UTF8",
        "gssencmode" => "disable or prefer (GSSAPI is not supported)",
        "target_session_attrs" => "any, read-write, read-only, primary or standby",
        "load_balance_hosts" => "disable or random",
        "sslmode" => "disable, allow, prefer, require, verify-ca or verify-full",
        "sslnegotiation" => "postgres or direct",
        "sslcertmode" => "disable or allow",
        "channel_binding" => "disable, prefer or require",
        "sslsni" => "0 or 1",
        "ssl_min_protocol_version" | "ssl_max_protocol_version" => "TLSv1.2 or TLSv1.3",
        _ => "another value",
    }
}

/// A whole number; like libpq, treats a negative one as zero ("not set").
fn number(parameters: &Parameters, key: &'static str) -> Result<Option<u64>, AddressError> {
    let Some(value) = parameters.value(key) else {
        return Ok(None);
    };
    match value.trim().parse::<i32>() {
        Ok(number) => Ok(Some(u64::try_from(number).unwrap_or(0))),
        Err(_) => Err(AddressError::InvalidValue {
            key,
            expected: "a whole number",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<NetworkSettings, AddressError> {
        NetworkSettings::read(&Parameters::parse(text)?)
    }

    #[test]
    fn units_match_those_of_libpq() {
        let settings =
            read("connect_timeout=1 keepalives_idle=30 keepalives_count=4 tcp_user_timeout=1500")
                .expect("valid");
        assert_eq!(settings.connect_timeout, Some(Duration::from_secs(2)));
        assert_eq!(settings.keepalives_idle, Duration::from_secs(30));
        assert_eq!(settings.keepalives_count, 4);
        assert_eq!(settings.tcp_user_timeout, Some(Duration::from_millis(1500)));
        assert!(!settings.keepalives_off);
    }

    #[test]
    fn a_negative_timeout_waits_forever() {
        assert_eq!(
            read("connect_timeout=-1").expect("valid").connect_timeout,
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn values_are_checked() {
        for text in [
            "connect_timeout=2s",
            "keepalives=yes",
            "target_session_attrs=prefer-standby",
            "gssencmode=require",
            "client_encoding=latin1",
            "load_balance_hosts=yes",
        ] {
            assert!(
                matches!(read(text), Err(AddressError::InvalidValue { .. })),
                "{text}"
            );
        }
    }
}
