//! Links that lead somewhere.

use super::markdown::{Page, pages, root};

#[test]
fn every_relative_link_and_anchor_exists() {
    let pages = pages();
    let mut links = 0;
    let mut broken = Vec::new();
    for page in &pages {
        for (line, target) in page.links() {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            links += 1;
            if let Err(why) = check(page, &target, &pages) {
                broken.push(format!("{}:{line}: {target}: {why}", page.path.display()));
            }
        }
    }
    assert!(links > 60, "only {links} links found");
    assert!(broken.is_empty(), "{broken:#?}");
}

fn check(page: &Page, target: &str, pages: &[Page]) -> Result<(), &'static str> {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = root().join(page.path.parent().unwrap());
    let path = if file.is_empty() {
        root().join(&page.path)
    } else {
        folder.join(file)
    };
    let path = path.canonicalize().map_err(|_| "no such file")?;
    if anchor.is_empty() {
        return Ok(());
    }
    let inside = path.strip_prefix(root().canonicalize().unwrap());
    let linked = pages.iter().find(|page| Ok(page.path.as_path()) == inside);
    let linked = linked.ok_or("not a page of the project")?;
    let found = linked.anchors().iter().any(|known| known == anchor);
    found.then_some(()).ok_or("no such heading")
}

#[test]
fn the_index_leads_to_every_page() {
    let pages = pages();
    let index = pages.iter().find(|page| page.path.ends_with("docs/README.md"));
    let index = index.expect("docs/README.md");
    let listed: Vec<String> = index.links().into_iter().map(|(_, target)| target).collect();
    for page in pages.iter().filter(|page| page.path.starts_with("docs")) {
        let name = page.path.strip_prefix("docs").unwrap().to_str().unwrap();
        let is_listed = listed.iter().any(|link| link.split('#').next() == Some(name));
        assert!(
            name == "README.md" || is_listed,
            "docs/README.md does not list {name}"
        );
    }
}
