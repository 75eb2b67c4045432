//! Pages and parameters as the lists of Mistral's Admin API read them: freely, where its document names no bounds.

use crate::error::ControlError;
use crate::intake::params::Params;
use louver_mistral::admin;

/// The most that one page shows, whatever is asked for.
const LARGEST_PAGE: u64 = 1000;

/// A page counted from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbered {
    /// Which, from 1.
    pub(super) page: u64,
    /// How many it has at most.
    pub(super) size: u64,
}

impl Numbered {
    /// Reads `page` and `page_size`, both above zero. A size above what is shown is cut to that.
    pub(super) fn read(params: &mut Params) -> Result<Self, ControlError> {
        Self::read_up_to(params, None)
    }

    /// The same where the document names the largest size.
    pub(super) fn read_up_to(params: &mut Params, largest: Option<u64>) -> Result<Self, ControlError> {
        let page = positive(params, "page")?.unwrap_or(admin::FIRST_PAGE);
        let size = positive(params, "page_size")?.unwrap_or(admin::PAGE_SIZE);
        if largest.is_some_and(|most| size > most) {
            let most = largest.unwrap_or_default();
            return Err(ControlError::parameter("page_size", format!("must be at most {most}")));
        }
        Ok(Self { page, size: size.min(LARGEST_PAGE) })
    }

    /// The same where the document names no bounds at all: what is below the first page is the first page.
    pub(super) fn read_clamped(params: &mut Params) -> Result<Self, ControlError> {
        let at_least_one = |number: Option<i64>, default: u64| {
            number.map_or(default, |number| u64::try_from(number).unwrap_or_default().max(1))
        };
        let page = at_least_one(whole(params, "page")?, admin::FIRST_PAGE);
        let size = at_least_one(whole(params, "page_size")?, admin::PAGE_SIZE);
        Ok(Self { page, size: size.min(LARGEST_PAGE) })
    }

    /// How many stand on the pages before.
    pub(super) fn offset(self) -> u64 {
        self.page.saturating_sub(1).saturating_mul(self.size).min(i64::MAX.unsigned_abs())
    }
}

/// A whole number above zero, however large.
fn positive(params: &mut Params, name: &str) -> Result<Option<u64>, ControlError> {
    let Some(number) = whole(params, name)? else { return Ok(None) };
    let above_zero = || ControlError::parameter(name, "must be greater than 0");
    u64::try_from(number).ok().filter(|n| *n > 0).map(Some).ok_or_else(above_zero)
}

/// A whole number, as near to what was asked for as 64 bits are.
pub(super) fn whole(params: &mut Params, name: &str) -> Result<Option<i64>, ControlError> {
    let Some(text) = params.take(name)? else { return Ok(None) };
    let digits = text.strip_prefix('-').unwrap_or(&text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ControlError::parameter(name, "expected a whole number"));
    }
    let furthest = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Ok(Some(text.parse().unwrap_or(furthest)))
}

/// A parameter that may be `null`: that is as if it were not there. An empty text is there, and is none of its values.
pub(super) fn nullable(params: &mut Params, name: &str) -> Result<Option<String>, ControlError> {
    Ok(params.take(name)?.filter(|text| text != "null"))
}

/// A free text that may be `null`: that, and an empty text, is as if it were not there.
pub(super) fn free(params: &mut Params, name: &str) -> Result<Option<String>, ControlError> {
    Ok(nullable(params, name)?.filter(|text| !text.is_empty()))
}
