//! What becomes of a frame about which a filter cannot decide (`onError`).

use super::super::scope::Scope;
use super::FilterKind;
use crate::config::Spanned;
use crate::config::schema::OnErrorChoice;
use crate::names::names;

names! {
    /// What becomes of a request, or of an answer, about which a filter cannot decide.
    #[derive(Default)]
    pub enum FailurePolicy {
        /// The session ends.
        Fail = "fail",
        /// The client is answered with an error.
        #[default]
        Answer = "answer",
        /// It passes as if the filter were not there.
        Pass = "pass",
    }
}

/// The policy as written. `pass` is refused where it would let clients do what nobody has allowed.
pub(super) fn resolve(
    written: Option<&Spanned<OnErrorChoice>>,
    kind: &FilterKind,
    scope: &mut Scope<'_>,
) -> FailurePolicy {
    let Some(written) = written else {
        return FailurePolicy::default();
    };
    match written.value {
        OnErrorChoice::Fail => FailurePolicy::Fail,
        OnErrorChoice::Answer => FailurePolicy::Answer,
        OnErrorChoice::Pass => {
            if !kind.may_be_passed_by() {
                let why = format!(
                    "`onError: pass` is not allowed for a filter of type `{}`: its failure would let clients do what \
                     nobody has allowed",
                    kind.type_name()
                );
                scope.errors.push(written.at, why);
            }
            FailurePolicy::Pass
        }
    }
}
