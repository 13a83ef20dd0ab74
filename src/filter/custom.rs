//! Types of filters that a program made on the library adds.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Filter, FilterEnv, FilterError};
use crate::config::{CustomFilterType, CustomSettings, register_filter_type};
use crate::model::FilterModel;

/// A filter that is being built.
pub type BuildingFilter<'f> = Pin<Box<dyn Future<Output = Result<Arc<dyn Filter>, FilterError>> + Send + 'f>>;

/// A type of filter of a program's own: its name and rules ([`CustomFilterType`]), and how it is built.
pub trait FilterFactory: CustomFilterType {
    /// Builds a filter with settings that [`CustomFilterType::check`] accepts. It may take time, within the limit of the
    /// chain, and may fail: then the reload is rejected, and the filters that run go on. Changes nothing that outlives the
    /// filter: it is dropped if the reload is not applied.
    fn build<'f>(&'f self, definition: CustomDefinition<'f>) -> BuildingFilter<'f>;
}

/// What a filter of a program's own is built from.
#[derive(Clone, Copy)]
pub struct CustomDefinition<'f> {
    /// The definition, with name and mode.
    pub model: &'f FilterModel,
    /// Its settings.
    pub settings: &'f CustomSettings,
    /// The filter of this type that it takes the place of, which may hand over what both share:
    /// `(&**previous as &dyn Any).downcast_ref::<T>()`.
    pub previous: Option<&'f Arc<dyn Filter>>,
    /// Where it will run.
    pub env: &'f FilterEnv,
}

static FACTORIES: RwLock<Vec<Arc<dyn FilterFactory>>> = RwLock::new(Vec::new());

/// Adds a type of filter to the process, in place of an earlier one of the same name. To be called before a configuration
/// is read: [`app::Proxy`](crate::app::Proxy) then takes files in which `filterDefinitions[].type` has its name.
pub fn register(factory: impl FilterFactory + 'static) {
    let factory: Arc<dyn FilterFactory> = Arc::new(factory);
    register_filter_type(Arc::clone(&factory) as Arc<dyn CustomFilterType>);
    let mut factories = FACTORIES.write().unwrap_or_else(PoisonError::into_inner);
    factories.retain(|known| known.name() != factory.name());
    factories.push(factory);
}

pub(super) async fn build(
    model: &FilterModel,
    settings: &CustomSettings,
    previous: Option<&Arc<dyn Filter>>,
    env: &FilterEnv,
) -> Result<Arc<dyn Filter>, FilterError> {
    let Some(factory) = factory_of(&settings.filter_type) else {
        let why = format!("this program has no filters of type `{}`", settings.filter_type);
        return Err(FilterError::new(model, why));
    };
    let definition = CustomDefinition {
        model,
        settings,
        previous,
        env,
    };
    factory.build(definition).await
}

fn factory_of(name: &str) -> Option<Arc<dyn FilterFactory>> {
    let factories = FACTORIES.read().unwrap_or_else(PoisonError::into_inner);
    factories.iter().find(|known| known.name() == name).cloned()
}

impl fmt::Debug for CustomDefinition<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CustomDefinition")
            .field("model", self.model)
            .field("env", self.env)
            .finish_non_exhaustive()
    }
}
