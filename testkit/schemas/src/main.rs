//! Prints the tables of Kafka's messages that `src/wire/schema/table.rs` holds.
//!
//! `cargo run -p testkit-schemas -- kafka-clients-NEWEST.jar kafka-clients-OLDER.jar… > src/wire/schema/table.rs`

use std::{env, io, io::Write as _, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let jars: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let tables = testkit_schemas::tables(&jars);
    let written = tables.and_then(|tables| {
        let written = io::stdout().write_all(tables.as_bytes());
        written.map_err(|error| format!("standard output: {error}"))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let mut stderr = io::stderr();
            drop(writeln!(stderr, "{why}"));
            ExitCode::FAILURE
        }
    }
}
