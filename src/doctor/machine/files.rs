//! Files with secrets, the control socket, the state directory.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::{MachineCheck as Check, MachineFact as Fact, MachineLog, MachinePlan};

/// Files that are looked at; further ones are left out.
const MAX_FILES: usize = 256;

pub(super) fn observe(log: &mut MachineLog, plan: &MachinePlan, pid: Option<u32>) {
    for file in plan.files.iter().take(MAX_FILES).filter(|file| is_secret(file)) {
        log.look(Check::SecretFile, file.display().to_string(), || mode(file));
    }
    if pid.is_some() {
        log.look(Check::ControlSocket, plan.socket.display().to_string(), || {
            mode(&plan.socket)
        });
    }
    let state = plan
        .model
        .as_ref()
        .and_then(|model| model.state_directory.clone());
    if let Some(state) = state {
        log.look(Check::StateDirectory, state.display().to_string(), || {
            directory(&state, pid)
        });
    }
}

/// A private key, or something else than certificates and revocation lists: a token or a password.
fn is_secret(file: &Path) -> bool {
    let text = super::text(file);
    text.is_ok_and(|text| text.contains("PRIVATE KEY-----") || !text.contains("-----BEGIN "))
}

fn mode(path: &Path) -> Result<Fact, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    Ok(Fact::Mode(metadata.mode() & 0o7777))
}

/// The state directory, as the user of the process has it.
fn directory(path: &Path, pid: Option<u32>) -> Result<Fact, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_dir() {
        return Err("it is no directory".to_owned());
    }
    let own = rustix::process::geteuid().as_raw();
    let user = pid.and_then(|pid| fs::metadata(format!("/proc/{pid}")).ok());
    let user = user.map_or(own, |process| process.uid());
    let is_writable = match user == own {
        true => access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok(),
        // Groups of another user are not known.
        false => {
            user == 0
                || (metadata.uid() == user && metadata.mode() & 0o300 == 0o300)
                || metadata.mode() & 0o033 != 0
        }
    };
    let space = statvfs(path).map_err(|error| error.to_string())?;
    Ok(Fact::State {
        mode: metadata.mode() & 0o7777,
        is_writable,
        free: space.f_bavail.saturating_mul(space.f_frsize),
    })
}
