//! `kproxy credential`: a line for a file of users, out of a password.

use std::io::{self, IsTerminal as _, Read as _};
use std::num::NonZeroU32;
use std::path::PathBuf;

use aws_lc_rs::rand;
use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde::Serialize;

use crate::cli::CommandExit;
use crate::cli::console::Console;
use crate::config::Secret;
use crate::sasl::{MAX_ITERATIONS, MIN_ITERATIONS, ScramHash, ScramVerifier, check_name};

/// Length of a salt in bytes.
const SALT: usize = 16;

/// Longest password that is read, in bytes.
const MAX_PASSWORD: u64 = 4096;

/// End of the text of `--help`.
const MORE: &str = "\
The password is read from standard input, never from the command line, where others could see it.
The line holds no password, only a verifier; still, keep it as you would keep a password.

Exit codes:
  0  the line is printed
  1  there is no password, or it cannot be used
  2  the command line is wrong

Example:
  kproxy credential alice >> users.txt
  printf %s \"$PASSWORD\" | kproxy credential alice --mechanism SCRAM-SHA-512 >> users.txt
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// Name of the user.
    #[arg(value_parser = name)]
    name: String,
    /// Mechanism that the verifier is for. PLAIN works with either.
    #[arg(long, value_name = "MECHANISM", default_value = "SCRAM-SHA-256", value_parser = ["SCRAM-SHA-256", "SCRAM-SHA-512"])]
    mechanism: String,
    /// Rounds of the key derivation: what one guess of a thief costs, and one login.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(i64::from(MIN_ITERATIONS)..=i64::from(MAX_ITERATIONS)))]
    iterations: u32,
}

/// The line, with what it was made of.
#[derive(Debug, Serialize)]
struct CredentialLine<'a> {
    name: &'a str,
    mechanism: &'a str,
    iterations: u32,
    line: String,
}

impl Arguments {
    /// Returns the file that names the control socket; the command asks no process.
    #[expect(clippy::unused_self, reason = "every command has this method")]
    pub(super) fn config(&self) -> Option<PathBuf> {
        None
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        match read_password().and_then(|password| self.verifier(&password)) {
            Ok(verifier) => {
                let made = CredentialLine {
                    name: &self.name,
                    mechanism: &self.mechanism,
                    iterations: self.iterations,
                    line: format!("{}:{verifier}", self.name),
                };
                console.show(&made, || format!("{}\n", made.line));
                CommandExit::Fine
            }
            Err(why) => {
                console.print_error(&why);
                CommandExit::Failed
            }
        }
    }

    fn verifier(&self, password: &Secret) -> Result<ScramVerifier, String> {
        let mut salt = [0; SALT];
        rand::fill(&mut salt).map_err(|_| "this machine has no random numbers")?;
        // Both were checked with the command line.
        let hash = ScramHash::of_mechanism(&self.mechanism).ok_or("there is no such mechanism")?;
        let iterations = NonZeroU32::new(self.iterations).ok_or("0 iterations")?;
        Ok(ScramVerifier::of_password(hash, password.reveal(), &salt, iterations))
    }
}

fn name(name: &str) -> Result<String, String> {
    check_name(name).map(|()| name.to_owned())
}

/// Reads standard input; one line end at its end does not count. A terminal does not show what is typed.
fn read_password() -> Result<Secret, String> {
    let stdin = io::stdin();
    let mut password = String::new();
    let read = if stdin.is_terminal() {
        let silent = SilentTerminal::begin();
        drop(io::Write::write_all(&mut io::stderr(), b"Password: "));
        let read = stdin.read_line(&mut password).map(drop);
        drop(silent);
        drop(io::Write::write_all(&mut io::stderr(), b"\n"));
        read
    } else {
        stdin.take(MAX_PASSWORD + 3).read_to_string(&mut password).map(drop)
    };
    read.map_err(|error| format!("the password cannot be read: {error}"))?;
    let password = password.strip_suffix('\n').unwrap_or(&password);
    let password = password.strip_suffix('\r').unwrap_or(password);
    match password.len() as u64 {
        0 => Err("there is no password on standard input".into()),
        1..=MAX_PASSWORD if password.contains(['\0', '\n']) => {
            Err("the password has a line end or a zero byte in it".into())
        }
        1..=MAX_PASSWORD => Ok(Secret::new(password)),
        _ => Err(format!("the password is longer than {MAX_PASSWORD} bytes")),
    }
}

/// A terminal that does not show what is typed, until it is dropped.
struct SilentTerminal(Option<Termios>);

impl SilentTerminal {
    fn begin() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            // Without it the password is shown, and all else works.
            tcsetattr(io::stdin(), OptionalActions::Flush, &silent).unwrap_or_default();
        }
        Self(before)
    }
}

impl Drop for SilentTerminal {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            tcsetattr(io::stdin(), OptionalActions::Flush, before).unwrap_or_default();
        }
    }
}
