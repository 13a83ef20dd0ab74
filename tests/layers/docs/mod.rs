//! The documents tell the truth.
//!
//! 1. Every relative link and anchor exists, and `docs/README.md` leads to every page.
//! 2. Every configuration in a document is valid, and every command parses.
//! 3. Every metric in a document or alert rule exists, and every metric is documented.
//! 4. `docs/configuration.md` and `config/proxy.yaml` have every key, with the meaning, type, default and effects that
//!    the code has; a default that is written is what `model` fills in. `UPDATE_DOCS=1` rewrites the reference.
//! 5. The JSON Schema has every key, takes every valid file here and none of a wrong shape.
//! 6. `docs/operating/doctor.md` explains every finding of `kproxy doctor`.
//! 7. `docs/messages.md` has every log message and error text, and none that does not exist.
//! 8. Every file of access rules in a document can be used.

mod access_rules;
mod configuration;
mod editor_schema;
mod examples;
mod findings;
mod links;
mod markdown;
mod messages;
mod metrics;
mod source;
