//! The address of a PostgreSQL database, as libpq understands it.
//!
//! Parses URLs, `key=value` strings, `PG*` variables, service and password files into one [`DatabaseAddress`].
//! `config::locate` selects the address of a service, and `postgres::connect` opens connections. Reads no files
//! other than those that an address names.

mod ambient;
mod child_environment;
mod database_address;
mod endpoint;
mod error;
mod keyword;
mod network;
mod parameters;
mod password;
mod tls_settings;
mod url;

pub use ambient::LIBPQ_VARIABLES;
pub use database_address::DatabaseAddress;
pub use endpoint::{Endpoint, Transport};
pub use error::AddressError;
pub use network::{NetworkSettings, SessionTarget};
pub use password::Password;
pub use tls_settings::{ChannelBinding, RootCertificates, SslMode, TlsSettings, TlsVersion};

pub use child_environment::clean_command;
pub use parameters::Parameters;
pub use parameters::without_password;
