//! The client service's migrations, compiled in.

use engine::source::EmbeddedService;

mod up {
    refinery::embed_migrations!("migrations");
}

mod down {
    refinery::embed_migrations!("reverts");
}

/// The client service.
pub static SERVICE: EmbeddedService = EmbeddedService {
    folder: "client",
    definition: include_str!("../service.toml"),
    migrations: up::migrations::runner,
    reverts: down::migrations::runner,
    dependencies: &[&auth_migrations::SERVICE],
    dependents: include!(concat!(env!("OUT_DIR"), "/dependents.rs")),
};
