//! From the settings of filters to filters: all that may fail of a change, before anything is changed.

use std::any::Any;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::conditional::ConditionalFilter;
use super::jwks::TokenFigures;
use super::oauth_bearer_validation::OauthBearerValidation;
use super::sasl_inspection::SaslInspection;
use super::sasl_termination::ClientLoginTally;
use super::{
    AclDecisions, AgeLimits, ApiFilter, Authorization, Chain, ChainedFilter, ClientAudit,
    ConnectionExpiration, Filter, FilterCounters, FilterHealth, ProtocolLogger, TopicFence, TopicNameMap,
    custom, sasl_termination,
};
use crate::model::{FilterKind, FilterMode, FilterModel};
use crate::reload::pair_filters;

/// Time within which the filters of a cluster have to be ready.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// What filters are built with, besides their settings.
#[derive(Debug, Clone)]
pub struct FilterEnv {
    /// Name of the virtual cluster.
    pub cluster: Arc<str>,
    /// Names of its topics by their ids. A filter that needs them returns it in [`Filter::topic_names`].
    pub topics: Arc<TopicNameMap>,
}

/// Reason why a filter cannot do its work.
#[derive(Debug, Clone, thiserror::Error)]
#[error("filter `{filter}`: {why}")]
pub struct FilterError {
    /// Name of the filter.
    pub filter: String,
    /// The reason, without secrets.
    pub why: String,
    /// Whether it may go away without a change of the configuration.
    pub may_pass: bool,
}

impl FilterError {
    /// A reason that lies in the settings.
    pub fn new(filter: &FilterModel, why: impl Into<String>) -> Self {
        Self {
            filter: filter.name.clone(),
            why: why.into(),
            may_pass: false,
        }
    }

    /// A reason that may go away by itself: a server that does not answer, a file that cannot be opened now.
    pub fn passing(filter: &FilterModel, why: impl Into<String>) -> Self {
        Self {
            may_pass: true,
            ..Self::new(filter, why)
        }
    }
}

/// Builds one filter. `previous` is the filter that it takes the place of, which may hand over what both share. Changes
/// nothing that outlives the filter: it is dropped if the change is not applied.
///
/// # Errors
/// When the filter cannot do its work.
pub async fn build(
    model: &Arc<FilterModel>,
    previous: Option<&Arc<dyn Filter>>,
    env: &FilterEnv,
) -> Result<Arc<dyn Filter>, FilterError> {
    match &model.kind {
        FilterKind::ConnectionExpiration(settings) => {
            let limits = AgeLimits {
                max_age: settings.max_age,
                jitter: settings.jitter,
            };
            Ok(Arc::new(ConnectionExpiration::new(&model.name, limits)))
        }
        FilterKind::ApiFilter(settings) => {
            let is_shadow = model.mode == FilterMode::Shadow;
            Ok(Arc::new(ApiFilter::new(&model.name, settings, is_shadow)))
        }
        FilterKind::Authorization(settings) => {
            let shadow = model.mode == FilterMode::Shadow;
            let filter = Authorization::new(&*model.name, settings, shadow);
            let filter = filter.with_names(Arc::clone(&env.topics));
            let previous =
                previous.and_then(|previous| (&**previous as &dyn Any).downcast_ref::<Authorization>());
            Ok(Arc::new(match previous {
                Some(previous) => filter.after(previous),
                None => filter,
            }))
        }
        FilterKind::Audit(settings) => match ClientAudit::new(&model.name, settings) {
            Ok(audit) => Ok(Arc::new(audit)),
            Err(error) => {
                let why = format!("there is no thread to write its file: {error}");
                Err(FilterError::passing(model, why))
            }
        },
        FilterKind::ProtocolLogger(settings) => Ok(Arc::new(ProtocolLogger::new(&model.name, settings))),
        FilterKind::OauthBearerValidation(settings) => {
            let previous: Option<&dyn Any> = previous.map(|previous| &**previous as _);
            let previous = previous.and_then(|previous| previous.downcast_ref());
            let built = OauthBearerValidation::build(model.name.clone(), settings, previous).await;
            match built {
                Ok(filter) => Ok(Arc::new(filter)),
                Err(why) => {
                    let why = format!("the keys of the issuer cannot be fetched: {why}");
                    Err(FilterError::passing(model, why))
                }
            }
        }
        FilterKind::SaslInspection(settings) => Ok(Arc::new(SaslInspection::new(
            model.name.clone(),
            settings.clone(),
        ))),
        FilterKind::SaslTermination(settings) => {
            let previous: Option<&dyn Any> = previous.map(|previous| &**previous as _);
            let previous = previous.and_then(|previous| previous.downcast_ref());
            let filter = sasl_termination::sasl_termination(model, settings, previous).await?;
            Ok(Arc::new(filter))
        }
        FilterKind::Custom(settings) => custom::build(model, settings, previous, env).await,
    }
}

/// The filters of a cluster that run, with their settings.
#[derive(Debug, Clone, Default)]
pub struct FilterChain {
    /// In the order of the chain.
    filters: Arc<[RunningFilter]>,
    chain: Option<Arc<Chain>>,
    /// Names of topics, from the first filter of the cluster on.
    topics: Option<Arc<TopicNameMap>>,
    /// Chains before it of which sessions may still need one.
    earlier: Vec<Weak<Chain>>,
    /// The fence in force, behind the filters.
    fence: Option<Arc<TopicFence>>,
}

/// A filter that runs.
#[derive(Debug, Clone)]
struct RunningFilter {
    model: Arc<FilterModel>,
    /// The filter without its condition.
    filter: Arc<dyn Filter>,
    /// The filter with its condition.
    conditional: Arc<dyn Filter>,
    counters: Arc<FilterCounters>,
    health: Arc<FilterHealth>,
}

impl FilterChain {
    /// The chain; `None` without filters.
    pub fn chain(&self) -> Option<&Arc<Chain>> {
        self.chain.as_ref()
    }

    /// Filters by name, each with its counters.
    pub fn counters(&self) -> impl Iterator<Item = (&str, &FilterCounters)> {
        self.filters
            .iter()
            .map(|running| (running.model.name.as_str(), &*running.counters))
    }

    /// Filters by name, each with how it does.
    pub fn health(&self) -> impl Iterator<Item = (&str, &FilterHealth)> {
        let filters = self.filters.iter();
        filters.map(|running| (running.model.name.as_str(), &*running.health))
    }

    /// Filters with rules of access by name, each with what its rules decided.
    pub fn decisions(&self) -> impl Iterator<Item = (&str, &AclDecisions)> {
        let filters = self.filters.iter();
        filters.filter_map(|running| Some((running.model.name.as_str(), running.filter.decisions()?)))
    }

    /// Figures of tokens, by the names of the filters that check some.
    pub fn token_figures(&self) -> impl Iterator<Item = (&str, TokenFigures)> {
        let filters = self.chain.iter().flat_map(|chain| chain.filters());
        filters.filter_map(|chained| Some((chained.filter.name(), chained.filter.token_figures()?)))
    }

    /// Counters of authentications, by the names of the filters at which clients authenticate.
    pub fn client_logins(&self) -> impl Iterator<Item = (&str, &ClientLoginTally)> {
        let filters = self.filters.iter();
        filters.filter_map(|running| Some((running.model.name.as_str(), running.filter.client_logins()?)))
    }

    /// Names of topics; `None` before the first filter.
    pub fn topics(&self) -> Option<&Arc<TopicNameMap>> {
        self.topics.as_ref()
    }

    /// Number of chains of the cluster that are in use: the one in force, and those with unanswered requests.
    pub fn live_generations(&self) -> usize {
        let earlier = self.earlier.iter().filter(|chain| chain.strong_count() > 0);
        usize::from(self.chain.is_some()) + earlier.count()
    }

    /// No filters, in place of those before. A fence stays, and what is known of topics for it.
    #[must_use]
    pub fn emptied(&self) -> Self {
        let emptied = Self {
            earlier: self.and_earlier(),
            topics: self.topics.clone().filter(|_| self.fence.is_some()),
            ..Self::default()
        };
        emptied.fenced(self.fence.clone())
    }

    /// The fence in force.
    pub fn fence(&self) -> Option<&Arc<TopicFence>> {
        self.fence.as_ref()
    }

    /// These filters with this fence, in place of the one before.
    #[must_use]
    pub fn fenced(self, fence: Option<Arc<TopicFence>>) -> Self {
        let filters = self.filters.iter().map(RunningFilter::chained);
        // A write that the fence cannot decide about must not pass it.
        let last = fence
            .iter()
            .map(|fence| ChainedFilter::new(Arc::clone(fence) as Arc<dyn Filter>));
        Self {
            chain: Chain::of(filters.chain(last)),
            earlier: self.and_earlier(),
            fence,
            ..self
        }
    }

    /// These filters, with what is known of the topics of the cluster.
    #[must_use]
    pub fn knowing(self, topics: Arc<TopicNameMap>) -> Self {
        Self {
            topics: Some(topics),
            ..self
        }
    }

    fn and_earlier(&self) -> Vec<Weak<Chain>> {
        let mut earlier = self.earlier.clone();
        earlier.retain(|chain| chain.strong_count() > 0);
        earlier.extend(self.chain.as_ref().map(Arc::downgrade));
        earlier
    }

    /// Builds the filters of a cluster. Filters with the same settings go on as they are; others are built anew.
    ///
    /// # Errors
    /// The first filter that cannot do its work, or is not ready in time.
    pub async fn build(
        models: Vec<Arc<FilterModel>>,
        before: Self,
        env: FilterEnv,
    ) -> Result<Self, FilterError> {
        let deadline = Instant::now() + TIME_LIMIT;
        let old: Vec<Arc<FilterModel>> = before
            .filters
            .iter()
            .map(|running| Arc::clone(&running.model))
            .collect();
        let pairs = pair_filters(&old, &models);
        let mut filters = Vec::with_capacity(models.len());
        for (model, before_at) in models.into_iter().zip(pairs) {
            let running = before_at.and_then(|at| before.filters.get(at));
            filters.push(RunningFilter::build(model, running, &env, deadline).await?);
        }
        let built = Self {
            chain: None,
            earlier: before.and_earlier(),
            filters: filters.into(),
            topics: Some(env.topics),
            fence: None,
        };
        Ok(built.fenced(before.fence))
    }
}

impl RunningFilter {
    /// A filter with these settings: the one before, if it has them too, else a new one.
    async fn build(
        model: Arc<FilterModel>,
        before: Option<&Self>,
        env: &FilterEnv,
        deadline: Instant,
    ) -> Result<Self, FilterError> {
        let (filter, health) = match before {
            Some(before) if *before.model == *model && !before.health.is_quarantined() => {
                return Ok(before.clone());
            }
            Some(before) if before.is_built_from(&model) && !before.health.is_quarantined() => {
                (Arc::clone(&before.filter), Arc::clone(&before.health))
            }
            _ => {
                let previous = before.map(|before| &before.filter);
                let built = timeout_at(deadline, build(&model, previous, env)).await;
                let built = built.unwrap_or_else(|_| Err(not_ready(&model)))?;
                (built, Arc::default())
            }
        };
        Ok(Self {
            counters: before
                .map(|before| Arc::clone(&before.counters))
                .unwrap_or_default(),
            conditional: conditional(&filter, &model),
            model,
            filter,
            health,
        })
    }

    /// Whether the settings are the same apart from the condition and what becomes of failures.
    fn is_built_from(&self, model: &FilterModel) -> bool {
        let FilterModel {
            name,
            kind,
            mode,
            when: _,
            on_error: _,
        } = &*self.model;
        *name == model.name && *kind == model.kind && *mode == model.mode
    }

    /// The filter as its chain has it.
    fn chained(&self) -> ChainedFilter {
        ChainedFilter {
            counters: Arc::clone(&self.counters),
            on_error: self.model.on_error,
            health: Arc::clone(&self.health),
            ..ChainedFilter::new(Arc::clone(&self.conditional))
        }
    }
}

/// The filter with its condition.
fn conditional(filter: &Arc<dyn Filter>, model: &FilterModel) -> Arc<dyn Filter> {
    let filter = Arc::clone(filter);
    match &model.when {
        Some(condition) => Arc::new(ConditionalFilter::new(filter, condition.clone())),
        None => filter,
    }
}

fn not_ready(model: &FilterModel) -> FilterError {
    let why = format!("not ready within {} s", TIME_LIMIT.as_secs());
    FilterError::passing(model, why)
}
