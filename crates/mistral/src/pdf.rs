//! How many pages an inline PDF has at most, where that can be said without being a PDF reader.
//!
//! A file that readers may take apart in different ways has no bound: the caller then takes the highest
//! number that its policy allows. What is left are files as many programs write them: one table of plain
//! objects, each there once. In these the tree of pages is a tree: a page stands in no more than one list of
//! `/Kids`, so the entries of all such lists are at least as many as the pages. Counting `/Type /Page` would
//! not do: nothing forces a page to have a type, and one page may be listed a thousand times.

mod cursor;
mod layout;
mod names;

/// An upper bound of the number of pages of the PDF in `file`.
///
/// `None` when it cannot be said: object streams, compressed tables, encryption, forms that make their own
/// pages (XFA) or show other files (collections), files that were changed by appending to them, objects that
/// stand there twice or refer to others in their place, pages listed twice, and whatever else is not as plain
/// as above.
pub fn page_bound(file: &[u8]) -> Option<u64> {
    layout::check(file)?;
    names::bound(file)
}
