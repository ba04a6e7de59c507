//! Checks the migrations' file names and folders, and rebuilds for new files.

fn main() {
    service_layout::check_at_build_time();
}
