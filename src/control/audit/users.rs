//! Names of the users of this machine.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

/// Where the names of local users are.
const PASSWD: &str = "/etc/passwd";

/// Most users whose names are kept.
const MAX_KEPT: usize = 256;

/// Names that have been looked up, by user id.
static NAMES: LazyLock<RwLock<HashMap<u32, Arc<str>>>> = LazyLock::new(RwLock::default);

/// Looks a user up in `/etc/passwd`, to have the name at hand later. It reads a file, so it is for threads that may wait.
pub fn look_up(uid: u32) {
    let is_known = |names: &HashMap<u32, Arc<str>>| names.contains_key(&uid) || names.len() >= MAX_KEPT;
    if is_known(&NAMES.read().unwrap_or_else(PoisonError::into_inner)) {
        return;
    }
    let passwd = std::fs::read(PASSWD).unwrap_or_default();
    if let Some(name) = find(&String::from_utf8_lossy(&passwd), uid) {
        let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
        names.insert(uid, name.into());
    }
}

/// The name of a user that was looked up; `None` for one without an entry there.
pub(in crate::control) fn name(uid: u32) -> Option<String> {
    let names = NAMES.read().unwrap_or_else(PoisonError::into_inner);
    names.get(&uid).map(|name| name.to_string())
}

/// Finds the name of a user in passwd(5).
fn find(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(uid) && !name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_user_is_found_by_the_id() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n#\nbroken\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(find(passwd, 0), Some("root"));
        assert_eq!(find(passwd, 1000), Some("ann"));
        assert_eq!(find(passwd, 1), None);
    }
}
