//! What has to be watched for a path: every directory on the way that could be replaced, every link on the way
//! that could point elsewhere, and the file itself.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ffi::OsString;
use std::fs::FileType;
use std::path::{Component, Path, PathBuf};

/// The kernel's own limit (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// What to watch. Paths in here contain no links, as far as one look can tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) directories: BTreeMap<PathBuf, Children>,
    /// Regular files. Watching the file beside its directory sees what is written through another of its names:
    /// a hard link, or the file this one is a bind mount of.
    pub(super) files: BTreeSet<PathBuf>,
}

/// What matters in a directory besides its being replaced.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Children {
    pub(super) names: BTreeSet<OsString>,
    /// New files count, whatever their names.
    pub(super) all: bool,
}

impl Children {
    /// Whether it matters what happens in the directory, not only what happens to it.
    pub(super) fn matter(&self) -> bool {
        self.all || !self.names.is_empty()
    }
}

/// One look at the file system on behalf of many paths.
#[derive(Default)]
struct Walk {
    needs: Needs,
    kinds: HashMap<PathBuf, Option<FileType>>,
}

/// What `files` need, and `directories` in which new files count. A path that is not there needs the nearest
/// directory that is.
pub(super) fn needs<'a>(
    files: impl IntoIterator<Item = &'a PathBuf>,
    directories: impl IntoIterator<Item = &'a PathBuf>,
) -> Needs {
    let mut walk = Walk::default();
    for file in files {
        if let Some((path, kind)) = walk.resolve(file)
            && kind.is_file()
        {
            walk.needs.files.insert(path);
        }
    }
    for directory in directories {
        if let Some((path, kind)) = walk.resolve(directory)
            && kind.is_dir()
        {
            walk.needs.directories.entry(path).or_default().all = true;
        }
    }
    walk.needs
}

impl Walk {
    /// Follows `path` component by component, noting what it passes. `None` if it leads nowhere.
    fn resolve(&mut self, path: &Path) -> Option<(PathBuf, FileType)> {
        let mut base = PathBuf::from(".");
        let mut ahead = VecDeque::new();
        push_front(&mut ahead, &mut base, path);
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                up(&mut base);
                continue;
            }
            let here = base.join(&name);
            let children = self.needs.directories.entry(base.clone()).or_default();
            let kind = match self.kinds.entry(here.clone()) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(unknown) => {
                    *unknown.insert(here.symlink_metadata().ok().map(|metadata| metadata.file_type()))
                }
            };
            let passed = kind.is_some_and(|kind| kind.is_dir());
            if !passed {
                children.names.insert(name);
            }
            let kind = kind?;
            if kind.is_symlink() {
                links += 1;
                let target = std::fs::read_link(&here).ok()?;
                if links > MOST_LINKS {
                    return None;
                }
                push_front(&mut ahead, &mut base, &target);
            } else if ahead.is_empty() && !passed {
                return Some((here, kind));
            } else if passed {
                base = here;
            } else {
                return None;
            }
        }
        // Ends in a directory.
        let kind = base.symlink_metadata().ok()?.file_type();
        self.needs.directories.entry(base.clone()).or_default();
        Some((base, kind))
    }
}

/// Puts the components of `path` before those still ahead; an absolute path starts at the root.
fn push_front(ahead: &mut VecDeque<OsString>, base: &mut PathBuf, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => ahead.push_front(name.to_owned()),
            Component::ParentDir => ahead.push_front(OsString::from("..")),
            Component::RootDir => *base = PathBuf::from("/"),
            Component::CurDir | Component::Prefix(_) => (),
        }
    }
}

/// One directory up. `base` holds no links, so dropping its last name is that.
fn up(base: &mut PathBuf) {
    match base.components().next_back() {
        Some(Component::Normal(_)) => {
            base.pop();
        }
        Some(Component::RootDir) => (),
        _ => base.push(".."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(needs: &Needs, directory: &Path) -> Vec<String> {
        let children = needs.directories.get(directory).cloned().unwrap_or_default();
        let names = children.names.iter();
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    /// A directory whose own path has no links.
    fn scene() -> (tempfile::TempDir, PathBuf) {
        let scene = tempfile::tempdir().unwrap();
        let root = scene.path().canonicalize().unwrap();
        (scene, root)
    }

    #[test]
    fn a_plain_file_needs_its_directory_and_itself() {
        let (_scene, root) = scene();
        std::fs::write(root.join("a"), "").unwrap();
        let needs = needs(&[root.join("a")], []);
        assert_eq!(names(&needs, &root), ["a"]);
        assert!(needs.files.contains(&root.join("a")));
        assert!(needs.directories.contains_key(Path::new("/")));
    }

    #[test]
    fn every_link_of_a_mounted_config_map_is_needed() {
        let (_scene, root) = scene();
        std::fs::create_dir(root.join("..1")).unwrap();
        std::fs::write(root.join("..1/a"), "").unwrap();
        symlink("..1", root.join("..data")).unwrap();
        symlink("..data/a", root.join("a")).unwrap();
        let needs = needs(&[root.join("a")], []);
        assert_eq!(names(&needs, &root), ["..data", "a"]);
        assert_eq!(names(&needs, &root.join("..1")), ["a"]);
        assert!(needs.files.contains(&root.join("..1/a")));
    }

    #[test]
    fn what_is_missing_needs_the_nearest_directory_that_is_there() {
        let (_scene, root) = scene();
        let needs = needs(&[root.join("b/c/a")], [&root.join("d/e")]);
        assert_eq!(names(&needs, &root), ["b", "d"]);
        assert!(needs.files.is_empty());
    }

    #[test]
    fn a_loop_of_links_ends_and_is_watched() {
        let (_scene, root) = scene();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        let needs = needs(&[root.join("a")], []);
        assert_eq!(names(&needs, &root), ["a", "b"]);
        assert!(needs.files.is_empty());
    }

    #[test]
    fn a_link_up_and_over_is_followed() {
        let (_scene, root) = scene();
        std::fs::create_dir_all(root.join("x/y")).unwrap();
        std::fs::create_dir(root.join("z")).unwrap();
        std::fs::write(root.join("z/a"), "").unwrap();
        symlink("../../z/a", root.join("x/y/a")).unwrap();
        let needs = needs(&[root.join("x/./y/a")], []);
        assert_eq!(names(&needs, &root.join("x/y")), ["a"]);
        assert_eq!(names(&needs, &root.join("z")), ["a"]);
    }

    #[test]
    fn a_bare_name_needs_the_working_directory() {
        let missing = PathBuf::from("no-such-file.yaml");
        let needs = needs(&[missing], []);
        assert_eq!(names(&needs, Path::new(".")), ["no-such-file.yaml"]);
    }

    #[test]
    fn above_the_working_directory_there_is_another() {
        let mut base = PathBuf::from(".");
        up(&mut base);
        up(&mut base);
        assert_eq!(base, Path::new("./../.."));
        let mut root = PathBuf::from("/");
        up(&mut root);
        assert_eq!(root, Path::new("/"));
    }

    #[test]
    fn in_a_directory_of_includes_every_name_counts() {
        let (_scene, root) = scene();
        let needs = needs([], [&root]);
        assert!(needs.directories[&root].all);
    }
}
