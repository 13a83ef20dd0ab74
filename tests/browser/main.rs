//! The status page in a real browser, in front of the real binary.
//!
//! 1. It shows what runs, and shows changes without being loaded again; screen readers are told of them.
//! 2. A rejected reload is shown with its errors beside the lines of the file, and without secrets.
//! 3. It fits a phone, whatever names there are.
//! 4. Nothing on it violates its policy, and no script fails.
//! 5. It can be used with the keyboard, by screen readers, in light and dark.
//! 6. It says when kproxy does not answer, and goes on when it does. While it is hidden it does not ask.
//! 7. Without JavaScript it shows the same, and searches.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accessible;
mod live;
mod pictures;
mod scene;
