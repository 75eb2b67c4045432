//! The whole-system tests, one file per noun.
mod attacks;
mod calls;
mod fixtures;
mod keys;
mod rates;
mod store;
