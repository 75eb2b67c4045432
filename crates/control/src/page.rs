//! Lists in pages: `limit` and `after` come in, `data` and `has_more` go out.

use crate::error::ControlError;
use crate::intake::params::Params;
use schemars::JsonSchema;
use serde::Serialize;

const DEFAULT: u32 = 100;
const MOST: u32 = 1000;

/// One page as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub(crate) struct Page<T> {
    #[schemars(extend("const" = "list"))]
    object: &'static str,
    data: Vec<T>,
    has_more: bool,
}

impl<T> Page<T> {
    /// A list that is never cut.
    pub(crate) const fn whole(data: Vec<T>) -> Self {
        Self { object: "list", data, has_more: false }
    }

    /// A page of `limit` out of data that was read with one more than that.
    pub(crate) fn of_one_more(mut data: Vec<T>, limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = data.len() > limit;
        data.truncate(limit);
        Self { object: "list", data, has_more }
    }

    /// The page that `asked` names out of everything; `id` is what `after` is compared with.
    pub(crate) fn cut(
        all: Vec<T>,
        asked: &Asked,
        is_after: impl Fn(&T, &str) -> bool,
    ) -> Result<Self, ControlError> {
        let start = match &asked.after {
            None => 0,
            Some(after) => {
                let place = all.iter().position(|item| is_after(item, after));
                let place =
                    place.ok_or_else(|| ControlError::parameter("after", "names nothing in this list"))?;
                place.saturating_add(1)
            }
        };
        let keep = usize::try_from(asked.limit).unwrap_or(usize::MAX).saturating_add(1);
        Ok(Self::of_one_more(all.into_iter().skip(start).take(keep).collect(), asked.limit))
    }

    /// What is on the page.
    pub(crate) fn items(&self) -> &[T] {
        &self.data
    }

    /// The same page with each item shown.
    pub(crate) fn map<U>(self, show: impl FnMut(T) -> U) -> Page<U> {
        Page { object: self.object, data: self.data.into_iter().map(show).collect(), has_more: self.has_more }
    }
}

/// Which page is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// At most so many; 1 to 1,000.
    pub(crate) limit: u32,
    /// What stands after that one.
    pub(crate) after: Option<String>,
}

impl Asked {
    /// Reads `limit` and `after`.
    pub(crate) fn read(params: &mut Params) -> Result<Self, ControlError> {
        let limit = params.number("limit", 1..=MOST)?.unwrap_or(DEFAULT);
        Ok(Self { limit, after: params.take("after")? })
    }
}
