//! The policy service's migrations, compiled in.

use engine::source::EmbeddedService;

mod up {
    refinery::embed_migrations!("migrations");
}

mod down {
    refinery::embed_migrations!("reverts");
}

/// The policy service.
pub static SERVICE: EmbeddedService = EmbeddedService {
    folder: "policy",
    definition: include_str!("../service.toml"),
    migrations: up::migrations::runner,
    reverts: down::migrations::runner,
    dependencies: &[&client_migrations::SERVICE],
    dependents: include!(concat!(env!("OUT_DIR"), "/dependents.rs")),
};
