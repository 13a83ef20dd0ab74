//! The places that have to be watched for a path: every directory on the way that could be replaced, every link on the
//! way that could point elsewhere, and the file itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::FileType;
use std::path::{Component, Path, PathBuf};

/// Links on the way of one path: the kernel's own limit (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// Places to watch. The paths are absolute and contain no links, as far as one walk can see.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) directories: BTreeMap<PathBuf, Children>,
    /// Regular files. Watching the file beside its directory sees what is written through another of its names:
    /// a hard link, or the file this one is a bind mount of.
    pub(super) files: BTreeSet<PathBuf>,
}

/// Names that matter in a directory.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Children {
    pub(super) names: BTreeSet<OsString>,
    /// New files count, whatever their names.
    pub(super) all: bool,
}

impl Children {
    /// Whether anything in the directory matters, not only the directory itself.
    pub(super) fn matter(&self) -> bool {
        self.all || !self.names.is_empty()
    }

    /// Adds those of another path to the same directory.
    pub(super) fn merge(&mut self, other: Self) {
        self.names.extend(other.names);
        self.all |= other.all;
    }
}

/// One walk through the file system on behalf of many paths.
#[derive(Default)]
struct Walk {
    needs: Needs,
    kinds: HashMap<PathBuf, Option<FileType>>,
}

/// Returns the places to watch for `files`, and for `directories` in which new files count. For a path that does not
/// exist, that is the nearest directory that does.
pub(super) fn needs<'a>(
    files: impl IntoIterator<Item = &'a PathBuf>,
    directories: impl IntoIterator<Item = &'a PathBuf>,
) -> Needs {
    let mut walk = Walk::default();
    // Without a working directory only absolute paths lead anywhere.
    let start = std::env::current_dir().unwrap_or_default();
    for file in files {
        if let Some((path, kind)) = walk.resolve(&start.join(file), MAX_LINKS)
            && kind.is_file()
        {
            walk.needs.files.insert(path);
        }
    }
    for directory in directories {
        if let Some((path, kind)) = walk.resolve(&start.join(directory), MAX_LINKS)
            && kind.is_dir()
        {
            walk.needs.directories.entry(path).or_default().all = true;
        }
    }
    walk.needs
}

impl Walk {
    /// Follows an absolute path component by component, and at most `links` links, and notes what it passes. `None` if it
    /// leads nowhere.
    fn resolve(&mut self, path: &Path, links: usize) -> Option<(PathBuf, FileType)> {
        let mut base = PathBuf::from("/");
        let mut ahead = path.components();
        while let Some(component) = ahead.next() {
            let name = match component {
                Component::Normal(name) => name,
                Component::ParentDir => {
                    // `base` holds no links, so dropping its last name is one directory up.
                    base.pop();
                    continue;
                }
                Component::RootDir | Component::CurDir | Component::Prefix(_) => continue,
            };
            let here = base.join(name);
            let kind = self.kind(&here);
            let children = self.needs.directories.entry(base.clone()).or_default();
            if kind.is_some_and(|kind| kind.is_dir()) {
                base = here;
                continue;
            }
            children.names.insert(name.to_owned());
            if kind?.is_symlink() {
                let target = base.join(std::fs::read_link(&here).ok()?);
                return self.resolve(&target.join(ahead.as_path()), links.checked_sub(1)?);
            }
            let is_last = ahead.next().is_none();
            return is_last.then_some((here, kind?));
        }
        self.needs.directories.entry(base.clone()).or_default();
        let kind = self.kind(&base)?;
        Some((base, kind))
    }

    fn kind(&mut self, path: &Path) -> Option<FileType> {
        if let Some(known) = self.kinds.get(path) {
            return *known;
        }
        let kind = path.symlink_metadata().ok().map(|metadata| metadata.file_type());
        self.kinds.insert(path.to_owned(), kind);
        kind
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
        let here = std::env::current_dir().unwrap();
        assert_eq!(names(&needs, &here), ["no-such-file.yaml"]);
    }

    #[test]
    fn in_a_directory_of_includes_every_name_counts() {
        let (_scene, root) = scene();
        let needs = needs([], [&root]);
        assert!(needs.directories[&root].all);
    }
}
